#!/usr/bin/env bash
# Serves a page to one caller by way of the files of /net, and prints what was asked for.
#   serve-page.sh DIR PORT FILE      DIR is where /net is mounted; port 0 takes a free one
dir=$1 port=$2 file=$3

exec 3<>"$dir/tcp/clone" || exit
read -r n <&3
echo "announce 127.0.0.1!$port" >&3 || { cat "$dir/tcp/$n/err" >&2; exit 1; }
read -r address <"$dir/tcp/$n/local"
echo "serving at ${address/!/:}"

exec 4<>"$dir/tcp/$n/listen" || exit # waits for a call, and is its ctl
read -r call <&4
exec 5<>"$dir/tcp/$call/data" || exit
read -r method path _ <&5
while read -r header <&5 && [ "$header" != $'\r' ]; do :; done
echo "asked for $path by $method"
{
  echo -en 'HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n'
  cat "$file"
} >&5
