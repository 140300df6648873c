// What a burst took goes back to the system within seconds: a long queue, or a million messages at once, cost disk and not
// resident memory for days. malloc is jemalloc's in brokerd, except under sanitizers, which bring their own.

// With the threshold of 8 MiB that it has by itself, memory above it goes back with every single use: a message of 16 MiB took 430 ms
// instead of 26 (docs/performance.md).

// Read by jemalloc before main(); NAME:VALUE pairs.
extern "C" const char* malloc_conf; // NOLINT(readability-identifier-naming)
const char* malloc_conf = "background_thread:true,dirty_decay_ms:3000,muzzy_decay_ms:0,oversize_threshold:0";
