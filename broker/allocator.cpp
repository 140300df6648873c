// What a burst took goes back to the system within seconds: a long queue, or a million messages at once, cost disk and not
// resident memory for days. malloc is jemalloc's in brokerd, except under sanitizers, which bring their own.

// Without the threshold, memory for 8 MiB and more would go back with every single use of it: a message of 16 MiB cost 40 ms of page
// faults for each of its copies, ten times what all else about it takes.

// Read by jemalloc before main(); NAME:VALUE pairs.
extern "C" const char* malloc_conf; // NOLINT(readability-identifier-naming)
const char* malloc_conf = "background_thread:true,dirty_decay_ms:3000,muzzy_decay_ms:0,oversize_threshold:0";
