#!/usr/bin/env bash
# Moves finished exports from the volume that pods write to into the folder that the workers load from, for as long as
# it runs. Folders below are kept. Needs bash 4.4 and coreutils.
#
#   poststart.sh LOCAL_OUTPUT_PATH OUTPUT_PATH     as in the Airflow Variables local_output_path and output_path
#
# A file is finished if it has not changed for STELLAR_ETL_QUIET_SECONDS (30) and no process that can be seen from here
# has it open. Our exporter writes under hidden names, which are left alone, and renames when it is done; the Go program
# writes in place, and may be writing on another node: hence the waiting. What moved too early all the same is found by
# the task that verifies the export, and loads nothing.
#
# A file appears under its new name whole, and never over another one. A file that can't be moved because its name is
# taken by other content is left where it is. Killed at any point, the next start finishes what it began.
set -uo pipefail
shopt -s globstar nullglob

readonly QUIET_SECONDS=${STELLAR_ETL_QUIET_SECONDS:-30} POLL_SECONDS=${STELLAR_ETL_POLL_SECONDS:-5}

log() { printf '%s poststart.sh: %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$*"; }

usage() {
  log "usage: poststart.sh LOCAL_OUTPUT_PATH OUTPUT_PATH: $*" >&2
  exit 2
}

# Device and inode, size, time of change: the same twice if nobody wrote in between.
state() { stat -c '%d:%i %s %y' -- "$1" 2>/dev/null; }

# Device and inode of every file that a process has open, one per line. All descriptors are read together: comparing each
# file with each descriptor takes minutes where there are many of both.
open_files='' read_at=''
read_open_files() {
  local links=(/proc/[0-9]*/fd/*) first
  open_files=$'\n'
  # In portions, because a command's arguments are limited, and because bash heeds a signal between two commands. A
  # descriptor that was closed meanwhile is an error of stat, and adds no line.
  for ((first = 0; first < ${#links[@]}; first += 2000)); do
    [[ ! $stopped ]] || return
    open_files+=$(stat -L -c '%d:%i' -- "${links[@]:first:2000}" 2>/dev/null)$'\n'
  done
  read_at=$SECONDS
}

# Whether the file of a device and inode is open. Descriptors are read once per pass, and again when what was read is two
# seconds old.
is_open() {
  if [[ ! $read_at ]] || ((SECONDS - read_at >= 2)); then read_open_files; fi
  [[ $stopped || $open_files == *$'\n'"$1"$'\n'* ]]
}

# By the clock of this machine: a file's times are by another's.
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

# Copies to another file system: aside first, then under the name, unless the file changed meanwhile.
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
  # A taken name leaves the part where it is.
  if [[ -e $part ]]; then
    rm -f -- "$part"
    return 1
  fi
}

move() {
  local from=$1 to=$2
  mkdir -p -- "${to%/*}" || { tell_once "$from" "not moved: the folder ${to%/*} can't be made"; return; }
  if [[ ! -e $to ]]; then
    # A second name for the file is there at once or not at all, and never over another file.
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
    [[ $stopped ]] && return
    [[ -f $from && ! -L $from ]] && is_finished "$from" && move "$from" "$2/${from#"$1"/}"
  done
}

(($# == 2)) || usage "two folders are needed, not $#"
local_path=$(realpath -m -- "$1") output_path=$(realpath -m -- "$2")
[[ $local_path != "$output_path" ]] || usage "$local_path would be moved to itself"
[[ $output_path/ != "$local_path"/* ]] || usage "$output_path lies in $local_path, and would be moved into itself"
mkdir -p -- "$output_path" || exit 1

stopped=
trap 'stopped=1' TERM INT
log "moving files that have been quiet for $QUIET_SECONDS s from $local_path to $output_path"
until [[ $stopped ]]; do
  pass "$local_path" "$output_path"
  # In the background: bash heeds a signal only once a foreground command has ended.
  [[ $stopped ]] || { sleep "$POLL_SECONDS" & wait $!; }
done
log "stopped"
