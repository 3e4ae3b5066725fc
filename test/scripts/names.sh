#!/bin/sh
# Asks the files that answer, and prints the answers, a line each. Exits 1 if there was none to one.
#   names.sh DIR QUESTION...         DIR is where /net is mounted; runs in any shell
#   names.sh /net 'cs tcp!example.com!http' 'dns example.com mx' 'dns example.com txt'
cd "$1" || exit
shift

# A shell cannot go back to where the answers begin for others: to who reads on, they are lines.
ask() {
  exec 6<>"$1" || exit
  echo "$2" >&6 2>/dev/null && cat <&6
}

status=0
for question; do
  ask "${question%% *}" "${question#* }" || { status=1; echo "no answer: $question" >&2; }
done
exit $status
