# shellcheck shell=bash
# Sourced by scripts/stack: processes that are started, waited for and ended, each known by its pid and its start time.
#
# $RUN holds NAME.pid ("PID START" each) and $TRACES what the processes print.

# process_start PID: when it started, in clock ticks since boot; fails if it does not run. A pid that was given to another process since has another start.
process_start() {
    local stat fields
    read -r stat 2>/dev/null <"/proc/$1/stat" || return 1
    # The second field is the program's name, which may hold blanks and brackets.
    read -ra fields <<<"${stat##*) }"
    [[ ${fields[0]} != [ZX] ]] && echo "${fields[19]}"
}

is_same_process() { [[ $(process_start "$1") == "$2" ]]; }

is_running() {
    local pid start
    read -r pid start 2>/dev/null <"$RUN/$1.pid" && is_same_process "$pid" "$start"
}

pid_of() { cut -d' ' -f1 "$RUN/$1.pid"; }

# start NAME COMMAND…: in a session of its own, so that an interrupt at the terminal is not for it.
start() {
    local name=$1
    shift
    setsid "$@" </dev/null >>"$TRACES/$name" 2>&1 9>&- &
    local pid=$!
    disown "$pid"
    echo "$pid $(process_start "$pid")" >"$RUN/$name.pid"
}

# await NAME SECONDS COMMAND…: until the command succeeds; fails at once if the process ends.
await() {
    local name=$1 deadline=$((SECONDS + $2))
    shift 2
    until "$@" 2>/dev/null; do
        is_running "$name" || fail "$name ended while it was starting"
        ((SECONDS < deadline)) || fail "$name did not start in time"
        sleep 0.05
    done
}

# stop NAME: ends it and what it started, with TERM and after ten seconds with KILL. One that does not run is no error.
stop() {
    local -a family=()
    if is_running "$1"; then
        local signal deadline
        family_of "$(pid_of "$1")"
        for signal in TERM KILL; do
            signal_family "$signal"
            deadline=$((SECONDS + 10))
            while is_any_left && ((SECONDS < deadline)); do sleep 0.05; done
        done
    fi
    rm -f "$RUN/$1.pid"
}

# family_of PID: fills `family` with "PID START" of the process and all that it started, and they.
family_of() {
    local start file line fields
    start=$(process_start "$1") || return 0
    family+=("$1 $start")
    for file in /proc/[0-9]*/stat; do
        read -r line 2>/dev/null <"$file" || continue
        read -ra fields <<<"${line##*) }"
        if [[ ${fields[1]} == "$1" ]]; then family_of "${line%% *}"; fi
    done
}

signal_family() {
    local pid start
    for member in "${family[@]}"; do
        read -r pid start <<<"$member"
        if is_same_process "$pid" "$start"; then kill -s "$1" "$pid" 2>/dev/null || true; fi
    done
}

is_any_left() {
    local pid start member
    for member in "${family[@]}"; do
        read -r pid start <<<"$member"
        is_same_process "$pid" "$start" && return
    done
    return 1
}

# Two stacks that start at the same time must not choose the same port: whoever chooses holds this lock until everything listens.
lock_ports() {
    exec 9>"${TMPDIR:-/tmp}/dayfly-ports.$(id -u).lock"
    flock 9
}

unlock_ports() { exec 9>&-; }

is_listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# free_port: one below those that outgoing connections use, so that nothing takes it by chance.
free_port() {
    local port
    while port=$((10000 + RANDOM % 22000)); do
        [[ " ${taken_ports:-} " == *" $port "* ]] || is_listening "$port" || break
    done
    taken_ports="${taken_ports:-} $port"
    REPLY=$port
}
