# The far end of polpkg's session with a host: read by a POSIX sh there from its standard input, before anything else.
#
# The functions touch the files of the host as polpkg.targets.target.Target promises.  p_serve, called last, reads
# one line at a time and carries it out; bytes that a line announces follow it.  What comes back ends with a mark that the
# line brought.  Only dd, and read byte by byte, take anything from the standard input: neither takes too much.
# Needs neither bash nor local variables; everything here is called p_*.

umask 022
set -C
PATH=${PATH:-/usr/bin:/bin}:/usr/local/sbin:/usr/sbin:/sbin
LC_ALL=C
export PATH LC_ALL
unset CDPATH
p_busy= p_content=0 p_cut= p_watcher= p_newline='
'

# --- What is here ---------------------------------------------------------------------------------------------------

# What is missing of the programs that the functions use, or of what they must be able to do.
p_missing() {
    for p_each in cat chmod dd ln mkdir mv readlink rm rmdir sleep stat sync timeout wc; do
        command -v "$p_each" >/dev/null 2>&1 || printf '%s\n' "$p_each"
    done
    [ "$(printf ab | dd bs=1 count=1 iflag=fullblock status=none 2>&1)" = a ] || printf 'dd iflag=fullblock\n'
    flock --help >/dev/null 2>&1
    [ $? != 127 ] || printf 'flock\n'
    case $(mv -T 2>&1) in *nvalid\ option* | *nrecognized\ option*) printf 'mv -T\n' ;; esac
    stat -L -c '%f %s %d %i' / >/dev/null 2>&1 || printf 'stat -c\n'
    stat -f -c '%a %f %S %d %c' / >/dev/null 2>&1 || printf 'stat -f\n'
}

p_hello() {
    printf '%s\n' "$(id -u 2>/dev/null || printf 0)"
    p_missing
    if timeout -k 5 5 true 2>/dev/null; then p_limit='timeout -k 5'; else p_limit=timeout; fi
}

# --- Bytes from the other end ----------------------------------------------------------------------------------------

# p_take COUNT: that many of the bytes that follow the line.  Each block is read whole before any of it is written, so
# that nothing is left over when nobody wants it.
p_take() {
    p_left=$1 p_bad=0
    p_content=$((p_content - p_left))
    while [ "$p_left" -gt 0 ]; do
        p_block=$p_left
        [ "$p_block" -le 1048576 ] || p_block=1048576
        dd bs="$p_block" count=1 iflag=fullblock status=none || p_bad=1
        p_left=$((p_left - p_block))
    done
    return "$p_bad"
}

# p_receive FILE COUNT: a new file with that many bytes.  When there were fewer, the connection was cut: the line fails,
# and p_end ends the session.
p_receive() {
    { p_take "$2"; } >"$1" || return 1
    [ "$(wc -c <"$1")" -eq "$2" ] || { p_cut=1; return 1; }
}

# --- Files -----------------------------------------------------------------------------------------------------------

# Wait until the names in directories are on disk; some network file systems cannot and need not.
p_sync_names() {
    p_said=$(sync "$@" 2>&1) && return 0
    case $p_said in *'Invalid argument'*) return 0 ;; esac
    printf '%s\n' "$p_said" >&2
    return 1
}

# p_make DIRECTORY...: those that are missing, outermost first.
p_make() {
    for p_each; do
        [ -d "$p_each" ] && continue
        mkdir "$p_each" && p_sync_names "${p_each%/*}/" || return 1
    done
}

p_move() {
    mv -f -T "$1" "$2" && p_sync_names "${2%/*}/"
}

# p_write PATH COUNT MODE
p_write() {
    p_new=${1%/*}/.polpkg-new
    rm -f "$p_new" || return 1
    p_receive "$p_new" "$2" && chmod "$3" "$p_new" && sync "$p_new" && p_move "$p_new" "$1" && return 0
    rm -f "$p_new"
    return 1
}

# p_link PATH DESTINATION
p_link() {
    p_new=${1%/*}/.polpkg-new
    rm -f "$p_new" && ln -s -- "$2" "$p_new" && p_move "$p_new" "$1" && return 0
    rm -f "$p_new"
    return 1
}

p_remove() {
    [ -e "$1" ] || [ -L "$1" ] || return 0
    rm -rf "$1" && p_sync_names "${1%/*}/"
}

p_rename() {
    if [ -e "$2" ] || [ -L "$2" ]; then
        echo "$2: already there" >&2
        return 1
    fi
    p_move "$1" "$2"
}

p_read() {
    if [ -e "$1" ] && ! [ -f "$1" ]; then
        echo "$1: it is not a regular file" >&2
        return 1
    fi
    cat "$1"
}

p_read_link() {
    [ -L "$1" ] && readlink "$1"
    return 0
}

# The names in a directory, a NUL after each.
p_list() {
    [ -d "$1" ] || return 0
    (
        cd "$1" || exit 1
        [ -r . ] || { echo "$1: Permission denied" >&2; exit 1; }
        for p_each in * .*; do
            case $p_each in . | ..) continue ;; esac
            if [ -e "$p_each" ] || [ -L "$p_each" ]; then printf '%s\0' "$p_each"; fi
        done
    )
}

# p_survey DIRECTORY...: of each: its path; the names in it, each with the text of its link, if it is one; what stat says
# of those.  Nothing of a directory that cannot be read; nothing but its path of one that is not there.  For root, whom no
# directory on the way keeps from seeing that.
p_survey() {
    for p_where; do
        if [ -d "$p_where" ] && [ -r "$p_where" ]; then
            printf '%s\0' "$p_where"
            (
                cd "$p_where" || exit
                for p_each in * .*; do
                    case $p_each in . | ..) continue ;; esac
                    if [ -L "$p_each" ]; then
                        printf '%s\0%s\0' "$p_each" "$(readlink "$p_each")"
                    elif [ -e "$p_each" ]; then
                        printf '%s\0\0' "$p_each"
                    fi
                done
                printf '\0'
                stat -L -c '%f %s %d %i %n' -- . * .[!.]* 2>/dev/null
            )
            printf '\0'
        elif ! [ -e "$p_where" ] && ! [ -L "$p_where" ]; then
            printf '%s\0\0\0' "$p_where"
        fi
    done
    printf '\0'
}

# p_room PATH...: for each, whether a file could be written there, then what its file system has left.
p_room() {
    for p_each; do
        if [ -d "$p_each" ] && ! [ -L "$p_each" ]; then
            p_where=${p_each%/*}/ p_verdict=directory
        else
            p_where=${p_each%/*} p_verdict=yes
            while ! [ -d "$p_where/" ]; do
                [ -e "$p_where" ] && p_verdict=file && break
                p_where=${p_where%/*}
            done
            [ "$p_verdict" = file ] || p_where=$p_where/
        fi
        if [ "$p_verdict" = yes ] && ! { [ -w "$p_where" ] && [ -x "$p_where" ]; }; then
            p_verdict=no
            [ "$(id -u)" != 0 ] || p_verdict=read-only
        fi
        printf '%s %s ' "$p_verdict" "$(stat -L -c %d "$p_where")"
        stat -f -c '%a %f %S %d %c' "$p_where" || return 1
    done
}

# --- The lock --------------------------------------------------------------------------------------------------------

# p_lock FILE DIRECTORY...: try to have it.  Prints what had to be made.  75: somebody has it; 76: try again.
p_lock() {
    p_file=$1
    shift
    for p_each; do [ -d "$p_each" ] || printf '%s\n' "$p_each"; done
    p_make "$@" || return 1
    [ -L "$p_file" ] && { echo "$p_file: Too many levels of symbolic links" >&2; return 1; }
    if ! [ -e "$p_file" ]; then
        ( umask 077; true >"$p_file" ) || return 76
        printf '%s\n' "$p_file"
    fi
    [ -r "$p_file" ] || { echo "$p_file: Permission denied" >&2; return 1; }
    exec 9<"$p_file"
    flock -n 9 || return 75
    p_locked
}

# Wait for the lock that somebody has.
p_wait() {
    flock 9 || return 1
    p_locked
}

# Whether what is locked is what is there now; if so, watch over the other end as long as it is held.
p_locked() {
    if [ "$(stat -L -c %d:%i "/proc/$$/fd/9")" != "$(stat -L -c %d:%i "$p_file" 2>/dev/null)" ]; then
        exec 9<&-
        return 76
    fi
    ( exec 9<&- </dev/null >/dev/null 2>&1; p_watch ) &  # not `p_watch 9<&-`: a shell then keeps a copy of 9
    p_watcher=$!
}

# A connection that is dead without anybody having said so must not keep the lock: the other end sends a sign of life
# whenever it has been silent for a while; after six times p_pause seconds without one, the session ends.  Never while
# a line is carried out: that takes as long as it takes.
p_pause=20
p_watch() {
    p_sign=
    trap 'p_sign=1' USR1
    trap - TERM
    p_silent=0
    while sleep "$p_pause" && kill -0 $$; do
        p_silent=$((p_silent + 1))
        [ -z "$p_sign" ] || p_silent=0
        p_sign=
        [ "$p_silent" -lt 6 ] || kill -TERM $$
    done
}
trap '[ -n "$p_busy" ] || exit 1' TERM
trap '' USR1

# p_unlock FILE STATE MADE...: let it go; if nothing has come to STATE meanwhile, what was made for it goes first.
p_unlock() {
    kill "$p_watcher" 2>/dev/null
    p_watcher=
    if [ $# -gt 1 ]; then p_tidy "$@"; fi
    exec 9<&-
}

p_tidy() {
    for p_each in "$2"/* "$2"/.* "$2"/generations/* "$2"/generations/.*; do
        case $p_each in */. | */.. | "$1" | "$2/generations") continue ;; esac
        if [ -e "$p_each" ] || [ -L "$p_each" ]; then return; fi
    done
    rmdir "$2/generations" 2>/dev/null
    rm -f "$1"
    shift 2
    for p_each; do rmdir "$p_each" 2>/dev/null; done
    return 0
}

# --- Programs --------------------------------------------------------------------------------------------------------

# p_run SECONDS COUNT PROGRAM ARGUMENT...: with COUNT bytes as its standard input; it does not get the lock.
p_run() {
    p_seconds=$1 p_count=$2
    shift 2
    if [ "$p_count" = 0 ]; then
        $p_limit "$p_seconds" "$@" </dev/null 9<&-
        return
    fi
    p_take "$p_count" 2>/dev/null | $p_limit "$p_seconds" "$@" 9<&-
    p_ended=$?
    p_content=0
    return "$p_ended"
}

# --- The lines -------------------------------------------------------------------------------------------------------

# p_end STATUS MARK: the end of what a line gives, on both outputs.
p_end() {
    [ -z "$p_cut" ] || exit 1
    [ "$p_content" = 0 ] || p_take "$p_content" >/dev/null
    printf '\n%s\n' "$2" >&2
    printf '\n%s %s\n' "$2" "$1"
}

p_serve() {
    while IFS= read -r p_line; do
        p_busy=1
        [ -z "$p_watcher" ] || kill -USR1 "$p_watcher" 2>/dev/null
        eval "$p_line"
        p_busy=
    done
}
