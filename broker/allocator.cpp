// What a burst took goes back to the system within seconds: a long queue, or a million messages at once, cost disk and not
// resident memory for days. malloc is jemalloc's in brokerd, except under sanitizers, which bring their own.

// Read by jemalloc before main(); NAME:VALUE pairs.
extern "C" const char* malloc_conf; // NOLINT(readability-identifier-naming)
const char* malloc_conf = "background_thread:true,dirty_decay_ms:3000,muzzy_decay_ms:0";
