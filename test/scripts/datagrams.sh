#!/bin/sh
# Datagrams, by way of the files of /net.
#   datagrams.sh DIR ask ADDRESS TEXT      sends a line, and prints the line that is answered
#   datagrams.sh DIR echo ADDRESS          announces ADDRESS with headers, and sends back what comes
#   datagrams.sh DIR send A.B.C.D!PORT TEXT
#                                          sends a line under a header, and prints it when it comes back
#   datagrams.sh DIR listen ADDRESS CALLS  announces ADDRESS, and answers a line to so many remotes
# DIR is where /net is mounted; runs in any shell.
cd "$1/udp" || exit

# A new conversation, whose number is then n; fd 3 is its ctl. The arguments are messages for it.
conversation() {
  exec 3<>clone || exit
  read -r n <&3
  for message; do echo "$message" >&3 || { cat "$n/err" >&2; exit 1; }; done
}

# Where it is announced, for who is to know.
announced() { read -r local <"$n/local" && echo "udp/$n is at $local"; }

# A read that is too small loses the rest of a datagram, and a shell reads byte by byte. cat reads all of
# it, and waits for the next until the conversation is hung up.
datagrams() { cat 2>/dev/null; }

ask() {
  conversation "connect $1"
  exec 4<>"$n/data" || exit
  echo "$2" >&4
  datagrams <&4 | { read -r answer && echo hangup >&3 && echo "$answer"; } || { cat "$n/err" >&2; exit 1; }
}

# What was read, written back, is an answer to who sent it.
echo_all() {
  conversation headers "announce $1"
  announced
  exec 4<>"$n/data" || exit
  datagrams <&4 >&4
}

# The 52 bytes: the remote's address, the local and the interface's, which the host is to choose, and the
# two ports. They stand in no variable, which cannot hold a NUL; and since a shell writes line by line, one
# that has a 10 among them, a newline, it cannot send.
send() {
  host=${1%!*} port=${1##*!} text=$2
  nulls='\000\000\000\000\000\000\000\000\000\000'
  IFS=. ; set -- $host; IFS=' '
  remote=$nulls'\377\377'$(printf '\\%03o' "$@")
  any=$nulls'\000\000\000\000\000\000'
  ports=$(printf '\\%03o' $((port / 256)) $((port % 256)))'\000\000'

  conversation headers 'announce 0'
  exec 4<>"$n/data" || exit
  printf "$remote$any$any$ports%s\n" "$text" >&4
  # What comes back has a header, too, and whatever is in that is before the text.
  datagrams <&4 | {
    while read -r line; do
      case $line in *"$text") echo hangup >&3; echo "$text"; exit ;; esac
    done
    exit 1
  }
}

# Each new remote is a call, whose ctl is what was opened.
listen() {
  conversation "announce $1"
  announced
  calls=$2
  while [ "$calls" -gt 0 ]; do
    exec 5<>"$n/listen" || exit
    read -r call <&5
    read -r remote <"$call/remote"
    exec 6<>"$call/data" || exit
    datagrams <&6 | { read -r line; echo "$remote says $line" >&6; echo hangup >&5; }
    calls=$((calls - 1))
  done
}

case $2 in
  ask) ask "$3" "$4" ;;
  echo) echo_all "$3" ;;
  send) send "$3" "$4" ;;
  listen) listen "$3" "$4" ;;
esac
