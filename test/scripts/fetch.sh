#!/usr/bin/env bash
# Fetches a page by way of the files of /net, and prints it without its headers.
#   fetch.sh DIR HOST PORT PATH      DIR is where /net is mounted
dir=$1 host=$2 port=$3 path=$4

exec 3<>"$dir/tcp/clone" || exit # a new conversation; its number has no newline
read -r n <&3
echo "connect $host!$port" >&3 || { cat "$dir/tcp/$n/err" >&2; exit 1; }

exec 4<>"$dir/tcp/$n/data" || exit
echo -en "GET $path HTTP/1.0\r\nHost: $host:$port\r\n\r\n" >&4
while read -r header <&4 && [ "$header" != $'\r' ]; do :; done
cat <&4
