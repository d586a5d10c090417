# What a load task runs: prove that the cache answers, fill it when asked to, run memtier once, judge the result.
#   sh -c "$(cat load.sh)" memtier ARGS...      memtier_benchmark's ARGS; env RUN, and where wanted CACHE_AUTH_TOKEN, CA_PEM,
#   PREFILL_SECONDS (time in which every key is written and read back first), PREFILL_REQUIRED (what is missing then fails the task),
#   PREFILL_SERVER (host for that; else the load's), PREFILL_BYTES (of all values, where they have several sizes)
# memtier's exit code proves nothing: it is 0 for no operation at all, for NOAUTH replies, for a server that died.
# No fixed path, for several tasks may share a machine. Works as PID 1, in dash and in bash.
set -u; umask 077
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT || exit 1
pid='' signal=TERM stopping=''
# TERM kills memtier; on INT it prints its table, once it has spoken: before that, INT would kill it or be lost, for what starts in the
# background ignores INT. https://pubs.opengroup.org/onlinepubs/9699919799/utilities/V3_chap02.html#tag_18_11
# And not before timeout sleeps: a signal right after its fork ends it alone.
interrupt() {
  [ -n "$pid" ] || return 0
  while { [ "$signal" = INT ] && [ ! -e "$dir/spoken" ]; } || grep -qs '^State:.[RD]' "/proc/$pid/status"; do sleep 1; done
  kill -"$signal" "$pid" 2>/dev/null
}
trap 'stopping=1; interrupt' TERM INT
fail() { echo "load: failed: $*"; exit 1; }
linger() { while [ -z "$stopping" ]; do sleep 1; done; } # the service would start an ended task again, and all of this with it
# A signal to us ends wait (with a code above 128), not what it waits for. That may have ended meanwhile: its own code is there until it is asked for.
await() {
  while wait "$1"; code=$?; [ "$code" -gt 128 ] && kill -0 "$1" 2>/dev/null; do :; done
  [ "$code" -le 128 ] || { wait "$1" 2>/dev/null; own=$?; [ "$own" = 127 ] || code=$own; }
  return "$code"
}
loaded() { case $(sed -n 's/^Totals *\([^ ]*\).*/\1/p' "$1" 2>/dev/null) in *[1-9]*) ;; *) return 1 ;; esac; } # operations in the table?

task=${ECS_CONTAINER_METADATA_URI_V4:-} task=${task##*/}
[ -n "$task" ] || read -r task </proc/sys/kernel/random/uuid
task=${task%%-*} # both are ID-REST
command -v memtier_benchmark >/dev/null || fail "memtier_benchmark is not on PATH; use an image that has it"
generator=$(memtier_benchmark --version 2>&1 | head -n 1)
echo "load: run=${RUN:-} task=$task generator=\"$generator\""
case $(printf '%s\n' "$generator" | sed -n 's/^memtier_benchmark \(v=\)\{0,1\}\([0-9]*\.[0-9.]*\).*/\2/p') in
[01].* | 2.[0-2] | 2.[0-2].*) fail "$generator is older than 2.3: it prints other progress records, and before 2.2.1 it dies at the stop without its final table; take load.image = redislabs/memtier_benchmark:2.5.1" ;;
2.4 | 2.4.[01]) fail "$generator has known regressions, as 2.4.0 and 2.4.1 have; take load.image = redislabs/memtier_benchmark:2.5.1" ;;
esac

server=localhost port=6379 seconds=0 prefix=memtier- threads=4 clients=50 size=32 minimum=0 maximum=10000000 probe="--ratio=1:1 --requests=20" commands='' last=''
for arg in "$@"; do # --flag=value or --flag value
  case $arg in --*=*) flag=${arg%%=*} value=${arg#*=} ;; *) flag=$last value=$arg ;; esac
  case $flag in
  --server | --host | -s | -h) server=$value ;;
  --port | -p) port=$value ;;
  --key-prefix) prefix=$value ;;
  --threads | -t) threads=$value ;;
  --clients | -c) clients=$value ;;
  --data-size | -d) size=$value ;;
  --key-minimum) minimum=$value ;;
  --key-maximum) maximum=$value ;;
  --test-time) seconds=$value probe="${probe% *} --test-time=1" ;; # it excludes --requests
  --command) commands=1 ;;
  --ratio) case $value in 0:*) probe="--ratio=0:1 ${probe#* }" ;; esac ;; # reads only, perhaps from a replica: write nothing
  esac
  last=$arg
done
[ -z "$commands" ] || probe=${probe#* } # they have no ratio
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
  pid=''
  words=$(tr '\r' '\n' <"$dir/words" | grep -i 'error\|dropped\|failed\|option' | head -n 1)
  [ -n "$words" ] || ! loaded "$dir/table" || break
  [ "$try" -lt 3 ] || fail "no command succeeded on $server:$port in $try tries: ${words:-memtier hung}; check the cache's security groups, auth token and TLS, and the load's flags"
  try=$((try + 1))
  sleep 2
done
told() { [ -z "$stopping" ] || fail "told to stop before the load on $server:$port began; nothing to do"; }
told
: >"$dir/ready" # for the health check
echo "load: ready"

# tr makes a log event of each progress record (they end in \r). The shell hands lines on at once, where awk and sed hold them,
# and keeps a flood of error lines (NOAUTH: 7 MB in 3 s) out of the log: 20 of them, then changes of text, 200 in all.
mkfifo "$dir/log"
pump() {
  trap '' TERM INT
  stdbuf -oL tr '\r' '\n' <"$dir/log" | {
    errors=0 last=''
    while IFS= read -r line || [ -n "$line" ]; do # the last line may have no newline
      case $line in
      '[RUN #'*) : >"$dir/spoken" ;;
      Totals*) printf '%s\n' "$line" >"$dir/totals" ;;
      *[Ee]rror* | *dropped* | *[Ff]ailed* | *Restarting*)
        errors=$((errors + 1)) previous=$last last=$line
        if [ "$errors" -gt 200 ] || { [ "$errors" -gt 20 ] && [ "$line" = "$previous" ]; }; then continue; fi
        ;;
      esac
      printf '%s\n' "$line"
    done
    : >"$dir/spoken" # all it will ever say
    echo "$errors" >"$dir/errors"
  }
}
# load SECONDS TABLE ARGS...: memtier, its words in the log and its table in a file; sets exit and took. INT after SECONDS (0: never),
# KILL a minute after any INT, also ours: a memtier that hangs ignores INT, and Fargate kills this task 120 s after TERM.
load() {
  limit=$1 table=$2 begun=$(date +%s) signal=INT
  shift 2
  rm -f "$dir/spoken"
  pump &
  pump=$!
  timeout --foreground -s INT -k 60 "$limit" memtier_benchmark "$@" >"$table" 2>"$dir/log" &
  pid=$!
  [ -z "$stopping" ] || interrupt # told before it began
  await "$pid"
  exit=$? took=$(($(date +%s) - begun)) pid=''
  await "$pump"
}

# Writes every key once, then reads every key: what was never written, or evicted since, is a miss. P:P gives each connection a part
# of the keys; the parts are of one length, and must not begin past the last key, where memtier would go on: then with fewer connections.
# https://github.com/redis/memtier_benchmark/blob/master/client.cpp (setup_client). Table and JSON have misses as a rate of two
# decimals; client-stats counts them.
prefill() {
  left=$# value='' keys=$((maximum - minimum + 1)) filling=$(date +%s)
  while [ "$left" -gt 0 ]; do # not what ends or slows the load, chooses among the keys, lets them expire or takes other commands
    arg=$1 left=$((left - 1)) last=$value value=''
    shift
    [ -z "$last" ] || continue
    case $arg in
    --test-time* | --requests* | --rate* | --key-std* | --key-med* | --key-zipf* | --expiry* | --command* | --multi* | --wait-* | --num-*)
      case $arg in *=*) ;; *) value=next ;; esac ;;
    *) set -- "$@" "$arg" ;;
    esac
  done
  while part=$(((keys - 1) / (threads * clients) + 1)) && [ $((part * (threads * clients - 1))) -ge "$keys" ]; do
    if [ "$clients" -gt 1 ]; then clients=$((clients - 1)); else threads=1; fi
  done
  set -- "$@" --server="${PREFILL_SERVER:-$server}" --threads="$threads" --clients="$clients" --key-pattern=P:P --requests=allkeys
  echo "load: prefill keys=$keys bytes=${PREFILL_BYTES:-$((keys * size))}"
  for ratio in 1:0 0:1; do
    left=$((filling + PREFILL_SECONDS - $(date +%s)))
    load $((left > 0 ? left : 1)) /dev/null "$@" --ratio="$ratio" --client-stats="$dir/keys$ratio"
    told
    case $exit in
    124 | 137) unfilled unknown "not done in $PREFILL_SECONDS s: give it more time (load.prefill.minutes), or fewer keys (key_maximum)" && return ;;
    esac
    [ "$ratio" = 0:1 ] || echo "load: prefill: written; reading every key back"
  done
  # shellcheck disable=SC2046 # two numbers
  set -- $(awk -F, '$1 == "Second" { get = miss = NF + 1; for (i = 1; i <= NF; i++) { if ($i == "GET Requests") get = i; if ($i == "GET Misses") miss = i } next }
    /^[0-9]+,/ { gets += $get; misses += $miss } END { printf "%.0f %.0f\n", gets, misses }' "$dir"/keys0:1-*.csv)
  [ "${1:-0}" = $((part * threads * clients)) ] || { unfilled "${1:-0}" "only ${1:-0} of $keys keys could be read back from ${PREFILL_SERVER:-$server}:$port; the lines above say why" && return; }
  [ "$2" = 0 ] || { unfilled $((keys > $2 ? keys - $2 : 0)) "$2 of $keys keys were gone when they were read back: the working set (task_count x key_maximum x data_size, and what the engine keeps beside each) does not fit into maxmemory; take a larger node, fewer keys or smaller values" && return; }
  echo "load: prefilled keys=$keys of $keys seconds=$(($(date +%s) - filling))"
}
unfilled() { # KEYS WHY...: KEYS could be read back
  have=$1
  shift
  [ -n "${PREFILL_REQUIRED:-}" ] || { echo "load: prefilled keys=$have of $keys seconds=$(($(date +%s) - filling)): $*" && return; }
  echo "load: failed: prefill: $*"
  linger
  exit 1
}
[ -z "${PREFILL_SECONDS:-}" ] || prefill "$@"

load $((seconds > 0 ? seconds + 60 : 0)) "$dir/log" "$@" --json-out-file="$dir/json"
invalid=''

# Percentiles of several tasks merge from the histogram. Nothing else of the file is printed: it holds the password.
sed -n 's/.*"Compressed Histogram": "\([^"]*\)".*/\1/p' "$dir/json" 2>/dev/null | tail -n 1 | fold -w 190000 >"$dir/hdr" # an event holds 256 KB
sum=$(tr -d '\n' <"$dir/hdr" | sha256sum | cut -d ' ' -f 1) parts=$(wc -l <"$dir/hdr") part=0
while read -r text; do part=$((part + 1)) && echo "load: hdr sha256=$sum part=$part/$parts $text"; done <"$dir/hdr"

case $exit in 0) ;; 124) invalid=', ran on after its test time' ;; 137) invalid=', hung and was killed' ;; *) invalid=", exit code $exit" ;; esac
loaded "$dir/totals" || invalid="$invalid, no operations"
[ "$(cat "$dir/errors")" = 0 ] || invalid="$invalid, $(cat "$dir/errors") error lines"
[ -n "$stopping" ] || [ "$took" -ge $((seconds - 2)) ] || invalid="$invalid, ended after $took of $seconds s"
echo "load: finished exit=$exit ${invalid:+invalid: }$([ -n "$invalid" ] && echo "${invalid#, }" || echo ok)"

linger
[ -z "$invalid" ]
