// descriptors: who may have how many of the files this process can open. The store comes first: a connection too many must
// not cost it a file, since a write that cannot open one has failed.
#pragma once

#include <cstddef>

namespace broker {

struct descriptors {
    std::size_t limit = 0;       // of the process
    std::size_t store_files = 0; // data files the store keeps open
    std::size_t admin = 0;       // admin connections, on the socket and on HTTP each
    std::size_t ours = 0;        // all but connections
    std::size_t connections = 0; // of clients: what is left
};

[[nodiscard]] descriptors divide_descriptors(std::size_t limit, std::size_t shards, std::size_t listeners);

// RLIMIT_NOFILE, after raising what holds to what it may be raised to.
[[nodiscard]] std::size_t raise_descriptor_limit();

} // namespace broker
