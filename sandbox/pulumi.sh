#!/bin/sh
# Pulumi in the sandbox: pulumi.sh <the real pulumi> <the sandbox's home> <arguments>...
#
# The CLI writes the passphrase's salt into the stack file. The repository must stay as it is, so
# the CLI reads a copy of the stack file, below the home, to which the sandbox's salt is appended.
real=$1
home=$2
shift 2
stack='' before='' words='' folder=.
for word in "$@"; do
  case $before in
  -s | --stack) stack=$word before='' && continue ;;
  -C | --cwd) folder=$word before='' && continue ;;
  esac
  case $word in
  --stack=*) stack=${word#*=} ;;
  --cwd=*) folder=${word#*=} ;;
  -*) ;;
  *) words="$words $word" ;;
  esac
  before=$word
done
case "$words " in
" stack init "*)
  # A new stack is made in an empty project of the same name, where the salt may be written.
  project=$(sed -n 's/^name: *//p' "$folder/Pulumi.yaml" 2>/dev/null | head -n 1)
  [ -n "$project" ] || exec "$real" "$@"
  new=${words#" stack init "}
  [ -n "$stack" ] || stack=${new%% *}
  stack=${stack##*/}
  scratch=$(mktemp -d) || exit 1
  trap 'rm -rf "$scratch"' EXIT
  printf 'name: %s\nruntime: python\n' "$project" >"$scratch/Pulumi.yaml"
  cp "$home/salt" "$scratch/Pulumi.$stack.yaml"
  cd "$scratch" && "$real" "$@"
  exit
  ;;
" config "* | " new "* | " plugin "* | " version "* | " login "* | " ") exec "$real" "$@" ;;
esac
[ -z "$PULUMI_OPTION_CONFIG_FILE" ] || exec "$real" "$@"
[ -n "$stack" ] || stack=$("$real" -C "$folder" stack --show-name 2>/dev/null)
stack=${stack##*/}
for stacks in "$folder/stacks" "$folder/../../stacks"; do
  file=$stacks/Pulumi.$stack.yaml
  [ -n "$stack" ] && [ -f "$file" ] || continue
  grep -q '^\(encryptionsalt\|secretsprovider\|encryptedkey\):' "$file" && break
  mkdir -p "$home/stacks"
  copy=$home/stacks/Pulumi.$stack.yaml
  cat "$file" "$home/salt" >"$copy.$$" && mv "$copy.$$" "$copy" || exit 1
  PULUMI_OPTION_CONFIG_FILE=$copy
  export PULUMI_OPTION_CONFIG_FILE
  break
done
exec "$real" "$@"
