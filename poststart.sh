#!/usr/bin/env bash
# Moves finished exports from the volume that pods write to into the folder that the workers load from, as long as it
# runs. Subfolders are kept. Needs bash 4.4 and coreutils.
#
#   poststart.sh LOCAL_OUTPUT_PATH OUTPUT_PATH     as in the Airflow Variables local_output_path and output_path
#
# A file is finished if it has not changed for STELLAR_ETL_QUIET_SECONDS (30) and no visible process has it open. Our
# exporter writes under hidden names, which this script ignores, and renames finished files. The Go program writes in
# place, possibly on another node; therefore the script waits. If a file moves too early, the task that verifies the
# export finds it, and nothing is loaded.
#
# A file appears under its new name complete, and never replaces another one. A file whose name is taken by other content
# stays where it is. After a kill the next start finishes the work.
#
# Exported files in OUTPUT_PATH that are older than STELLAR_ETL_KEEP_DAYS (30; 0: never) are deleted, and then empty
# folders. The name of an exported file begins with its ledgers: START-END-. Other files stay.
set -uo pipefail
shopt -s globstar nullglob

readonly QUIET_SECONDS=${STELLAR_ETL_QUIET_SECONDS:-30} POLL_SECONDS=${STELLAR_ETL_POLL_SECONDS:-5}
readonly KEEP_DAYS=${STELLAR_ETL_KEEP_DAYS:-30}

log() { printf '%s poststart.sh: %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$*"; }

usage() {
  log "usage: poststart.sh LOCAL_OUTPUT_PATH OUTPUT_PATH: $*" >&2
  exit 2
}

# Device and inode, size, time of change: the same twice if the file was not written in between.
state() { stat -c '%d:%i %s %y' -- "$1" 2>/dev/null; }

# Device and inode of every file that a process has open, one per line. All descriptors are read together: a comparison of
# each file with each descriptor takes minutes if there are many of both.
open_files='' read_at=''
read_open_files() {
  local links=(/proc/[0-9]*/fd/*) first
  open_files=$'\n'
  # In portions, because a command's arguments are limited, and to stop between two of them. For a descriptor that was
  # closed meanwhile stat fails and prints no line.
  for ((first = 0; first < ${#links[@]}; first += 2000)); do
    ! is_stopped || return
    open_files+=$(stat -L -c '%d:%i' -- "${links[@]:first:2000}" 2>/dev/null)$'\n'
  done
  read_at=$SECONDS
}

# Whether the file of a device and inode is open. Descriptors are read once per pass, and again after two seconds.
is_open() {
  if [[ ! $read_at ]] || ((SECONDS - read_at >= 2)); then read_open_files; fi
  is_stopped || [[ $open_files == *$'\n'"$1"$'\n'* ]]
}

# By this machine's clock: a file's times come from another machine's clock.
declare -A seen=() since=()
is_finished() {
  local now
  now=$(state "$1") || return 1
  if [[ ${seen[$1]-} != "$now" ]]; then
    seen[$1]=$now
    since[$1]=$SECONDS
  fi
  ((SECONDS - ${since[$1]} >= QUIET_SECONDS)) && ! is_open "${now%% *}"
}

same_content() {
  [[ $1 -ef $2 ]] && return
  [[ $(stat -c %s -- "$1") == "$(stat -c %s -- "$2")" && $(sha256sum <"$1") == "$(sha256sum <"$2")" ]]
}

declare -A told=()
tell_once() {
  [[ ${told[$1]-} == "$2" ]] || log "$1: $2"
  told[$1]=$2
}

# Copies to another file system: to a temporary name first, then to the final name, unless the file changed meanwhile.
copy() {
  local from=$1 to=$2 before part
  part="${to%/*}/.${to##*/}.part"
  before=$(state "$from")
  cp -p -- "$from" "$part" || { rm -f -- "$part"; return 1; }
  sync -- "$part"
  if [[ $(state "$from") != "$before" ]]; then
    rm -f -- "$part"
    return 1
  fi
  mv -n -T -- "$part" "$to"
  # If the name is taken, the partial copy stays.
  if [[ -e $part ]]; then
    rm -f -- "$part"
    return 1
  fi
}

move() {
  local from=$1 to=$2
  mkdir -p -- "${to%/*}" || { tell_once "$from" "not moved: the folder ${to%/*} can't be made"; return; }
  if [[ ! -e $to ]]; then
    # A hard link is created atomically, and never replaces another file.
    ln -T -- "$from" "$to" 2>/dev/null || [[ -e $to ]] || copy "$from" "$to" ||
      { tell_once "$from" "not moved: it could not be copied to $to, and will be tried again"; return; }
  fi
  if same_content "$from" "$to"; then
    rm -f -- "$from"
    log "moved $from to $to"
  else
    tell_once "$from" "not moved: $to is there with other content; remove one of them"
  fi
}

pass() {
  local from
  read_at=''
  for from in "$1"/**/*; do
    is_stopped && return
    [[ -f $from && ! -L $from ]] && is_finished "$from" && move "$from" "$2/${from#"$1"/}"
  done
}

# Runs once an hour. A file's age counts from its last change.
expire() {
  local marker file deleted=0
  ((KEEP_DAYS > 0)) && ((SECONDS >= next_expiry)) || return 0
  next_expiry=$((SECONDS + 3600))
  marker=$(mktemp) && touch -d "$KEEP_DAYS days ago" -- "$marker" || return 0
  for file in "$1"/**/[0-9]*-[0-9]*-*; do
    is_stopped && break
    [[ -f $file && ! -L $file && $file -ot $marker ]] || continue
    rm -f -- "$file" || continue
    deleted=$((deleted + 1))
    file=${file#"$1"/}
    [[ $file != */* ]] || (cd -- "$1" && rmdir -p --ignore-fail-on-non-empty -- "${file%/*}" 2>/dev/null)
  done
  rm -f -- "$marker"
  ((deleted == 0)) || log "deleted $deleted exported files of $1 that were older than $KEEP_DAYS days"
}

(($# == 2)) || usage "two folders are needed, not $#"
local_path=$(realpath -m -- "$1") output_path=$(realpath -m -- "$2")
[[ $local_path != "$output_path" ]] || usage "$local_path would be moved to itself"
[[ $output_path/ != "$local_path"/* ]] || usage "$output_path lies in $local_path, and would be moved into itself"
[[ $KEEP_DAYS =~ ^[0-9]{1,5}$ ]] || usage "STELLAR_ETL_KEEP_DAYS must be a number of days, not $KEEP_DAYS"
mkdir -p -- "$output_path" || exit 1

# A trap of bash 5.2 that runs while bash reads "$(...)" fails ("unexpected EOF while looking for matching )"), and the
# signal is lost. So the process that gets signals only waits. Its child does the work, and looks for a file.
folder=$(mktemp -d) || exit 1
readonly stop=$folder/stop
is_stopped() { [[ -e $stop ]] || ! kill -0 "$$" 2>/dev/null; }

work() {
  next_expiry=0
  until is_stopped; do
    pass "$local_path" "$output_path"
    expire "$output_path"
    is_stopped || sleep "$POLL_SECONDS"
  done
}

trap ': >"$stop"' TERM INT
log "moving files that have been quiet for $QUIET_SECONDS s from $local_path to $output_path"
work &
while kill -0 $! 2>/dev/null; do wait $!; done
rm -rf -- "$folder"
log "stopped"
