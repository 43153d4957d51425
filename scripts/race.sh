# Which Go packages are tested with the race detector, and how they are compiled. Sourced by scripts/test-go.sh and
# scripts/lint.sh.

# The packages of `plain` are compiled without it: they start the program (internal/e2e one that has the race detector
# in it) or have no concurrency, and would only be slower. internal/doctest checks that.
plain='config|digest|file|openapi|problem|internal/(buildtest|deploytest|doctest|djangotest|e2e|mutants|sim|test/holdfasttest)'

# SQLite itself goes without, too: it is C, translated to Go by a program, and took a third of the time of all tests.
# The driver, which gets our memory, has it. internal/test/holdfasttest compiles the program with the same flags.
race=(-race)
for library in sqlite/lib libc/... memory; do race+=("-gcflags=modernc.org/$library=-race=false"); done

# Settings of the race detector. The first: a process does not wait a second before it ends. The other: what the detector
# keeps of a large buffer is overwritten when Go uses the memory for something else. By default it is unmapped and mapped
# again, whose page faults took a fifth of the processor time. internal/test/holdfasttest has them, too.
export GORACE="atexit_sleep_ms=0 clear_shadow_mmap_threshold=1073741824"

plain_packages() { go list ./... | grep -Ex "holdfast/($plain)"; }
race_packages() { go list ./... | grep -Exv "holdfast/($plain)"; }
