#!/bin/sh
# Fetches a page by opening its server's address, and prints it without its headers.
#   dial.sh DIR HOST PORT PATH       DIR is where /net is mounted; runs in any shell
dir=$1 host=$2 port=$3 path=$4

# Shells do not agree on how echo is to write what is no letter.
case $(echo '\t') in *t) echo='echo -e' ;; *) echo=echo ;; esac
cr=$($echo '\r')

exec 3<>"$dir/dial/tcp!$host!$port" || exit
$echo "GET $path HTTP/1.0\r\nHost: $host:$port\r\n\r" >&3
while read -r header <&3 && [ "$header" != "$cr" ]; do :; done
cat <&3
