# What a load task runs: prove that the cache answers, run memtier once, judge the result.
#   sh -c "$(cat load.sh)" memtier ARGS...      memtier_benchmark's ARGS; env RUN, CACHE_AUTH_TOKEN, CA_PEM (the last two optional)
# memtier's exit code proves nothing: it is 0 for no operation at all, for NOAUTH replies, for a server that died.
# No fixed path, for several tasks may share a machine. Works as PID 1, in dash and in bash.
set -u; umask 077
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT || exit 1
pid='' stopping=''
# On INT memtier prints its table; TERM just kills it. A second later, for what starts in the background ignores INT at first.
interrupt() { [ -z "$pid" ] || { sleep 1; kill -INT "$pid" 2>/dev/null; }; }
trap 'stopping=1; interrupt' TERM INT
fail() { echo "load: failed: $*"; exit 1; }
await() { while :; do wait "$1"; code=$?; kill -0 "$1" 2>/dev/null || return "$code"; done; } # a signal ends wait, not what it waits for
loaded() { case $(sed -n 's/^Totals *\([^ ]*\).*/\1/p' "$1" 2>/dev/null) in *[1-9]*) ;; *) return 1 ;; esac; } # operations in the table?

task=${ECS_CONTAINER_METADATA_URI_V4:-} task=${task##*/}
[ -n "$task" ] || read -r task </proc/sys/kernel/random/uuid
task=${task%%-*} # both are ID-REST
command -v memtier_benchmark >/dev/null || fail "memtier_benchmark is not on PATH; use an image that has it"
echo "load: run=${RUN:-} task=$task generator=\"$(memtier_benchmark --version 2>&1 | head -n 1)\""

server=localhost port=6379 seconds=0 prefix=memtier- probe="--ratio=1:1 --requests=20" last=''
for arg in "$@"; do # --flag=value or --flag value
  case $arg in --*=*) flag=${arg%%=*} value=${arg#*=} ;; *) flag=$last value=$arg ;; esac
  case $flag in
  --server | --host | -s | -h) server=$value ;;
  --port | -p) port=$value ;;
  --key-prefix) prefix=$value ;;
  --test-time) seconds=$value probe="${probe% *} --test-time=1" ;; # it excludes --requests
  --ratio) case $value in 0:*) probe="--ratio=0:1 ${probe#* }" ;; esac ;; # reads only, perhaps from a replica: write nothing
  esac
  last=$arg
done
# Tasks share neither keys nor sequence: memtier's seed is a constant but for --randomize, and one for all its clients but for
# --distinct-client-seed. The password can only be an argument, so ps inside the task shows it; it is never printed.
set -- "$@" --key-prefix="$prefix$task-" --randomize --distinct-client-seed --hide-histogram
[ -z "${CACHE_AUTH_TOKEN:-}" ] || set -- "$@" --authenticate="$CACHE_AUTH_TOKEN"
[ -z "${CA_PEM:-}" ] || { printf '%s\n' "$CA_PEM" >"$dir/ca.pem" && set -- "$@" --cacert="$dir/ca.pem"; }

try=1
while [ -z "$stopping" ]; do # the same connection and log-in, real commands, but small; the last of equal flags wins
  # shellcheck disable=SC2086 # two words
  timeout --foreground -k 2 8 memtier_benchmark "$@" --threads=1 --clients=1 --pipeline=1 $probe >"$dir/table" 2>"$dir/words" &
  pid=$! && await "$pid"
  words=$(tr '\r' '\n' <"$dir/words" | grep -i 'error\|dropped\|failed\|option' | head -n 1)
  [ -n "$words" ] || ! loaded "$dir/table" || break
  [ "$try" -lt 3 ] || fail "no command succeeded on $server:$port in $try tries: ${words:-memtier hung}; check the cache's security groups, auth token and TLS, and the load's flags"
  try=$((try + 1))
  sleep 2
done
[ -z "$stopping" ] || fail "told to stop before the load on $server:$port began; nothing to do"
echo "load: ready"

# tr makes a log event of each progress record (they end in \r). The shell hands lines on at once, where awk and sed hold them,
# and keeps a flood of error lines (NOAUTH: 7 MB in 3 s) out of the log: 20 of them, then changes of text, 200 in all.
mkfifo "$dir/log"
(
  trap '' TERM INT
  stdbuf -oL tr '\r' '\n' <"$dir/log" | {
    errors=0 last=''
    while IFS= read -r line; do
      case $line in
      '[RUN #'*) ;;
      Totals*) printf '%s\n' "$line" >"$dir/totals" ;;
      *[Ee]rror* | *dropped* | *[Ff]ailed* | *Restarting*)
        errors=$((errors + 1)) previous=$last last=$line
        if [ "$errors" -gt 200 ] || { [ "$errors" -gt 20 ] && [ "$line" = "$previous" ]; }; then continue; fi
        ;;
      esac
      printf '%s\n' "$line"
    done
    echo "$errors" >"$dir/errors"
  }
) &
pump=$!
begun=$(date +%s)
# INT when it runs on a minute after its time; KILL a minute after any INT, also ours: a memtier that hangs ignores INT, and
# Fargate kills this task 120 s after TERM.
timeout --foreground -s INT -k 60 $((seconds > 0 ? seconds + 60 : 0)) memtier_benchmark "$@" --json-out-file="$dir/json" >"$dir/log" 2>&1 &
pid=$!
[ -z "$stopping" ] || interrupt # told between probe and load
await "$pid"
exit=$? took=$(($(date +%s) - begun)) pid='' invalid=''
await "$pump"

# Percentiles of several tasks merge from the histogram. Nothing else of the file is printed: it holds the password.
sed -n 's/.*"Compressed Histogram": "\([^"]*\)".*/\1/p' "$dir/json" 2>/dev/null | tail -n 1 | fold -w 190000 >"$dir/hdr" # an event holds 256 KB
sum=$(tr -d '\n' <"$dir/hdr" | sha256sum | cut -d ' ' -f 1) parts=$(wc -l <"$dir/hdr") part=0
while read -r text; do part=$((part + 1)) && echo "load: hdr sha256=$sum part=$part/$parts $text"; done <"$dir/hdr"

case $exit in 0) ;; 124) invalid=', ran on after its test time' ;; 137) invalid=', hung and was killed' ;; *) invalid=", exit code $exit" ;; esac
loaded "$dir/totals" || invalid="$invalid, no operations"
[ "$(cat "$dir/errors")" = 0 ] || invalid="$invalid, $(cat "$dir/errors") error lines"
[ -n "$stopping" ] || [ "$took" -ge $((seconds - 2)) ] || invalid="$invalid, ended after $took of $seconds s"
echo "load: finished exit=$exit ${invalid:+invalid: }$([ -n "$invalid" ] && echo "${invalid#, }" || echo ok)"

# The service would start an ended task again, and the load with it: stay until told to go.
while [ -z "$stopping" ]; do sleep 1; done
[ -z "$invalid" ]
