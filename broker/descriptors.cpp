#include "descriptors.hpp"

#include <algorithm>

#include <sys/resource.h>

namespace broker {

namespace {

constexpr std::size_t of_process = 16;  // standard streams, admin sockets, what is open for a moment: /proc, backups
constexpr std::size_t of_shard = 3;     // epoll, its timer, its interrupter
constexpr std::size_t of_store = 16;    // logs, MANIFEST, LOCK, SEAL, directories, files being written
constexpr std::size_t store_files_min = 48;
constexpr std::size_t store_files_max = 512;
constexpr std::size_t admin_min = 4;
constexpr std::size_t admin_max = 32;

} // namespace

descriptors divide_descriptors(std::size_t limit, std::size_t shards, std::size_t listeners) {
    descriptors d{.limit = limit,
                  .store_files = std::clamp(limit / 4, store_files_min, store_files_max),
                  .admin = std::clamp(limit / 16, admin_min, admin_max)};
    d.ours = of_process + shards * (of_shard + listeners) + of_store + d.store_files + 2 * d.admin;
    d.connections = limit > d.ours ? limit - d.ours : 0;
    return d;
}

std::size_t raise_descriptor_limit() {
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return 1024; // POSIX: cannot fail
    const auto held = files.rlim_cur;
    files.rlim_cur = files.rlim_max;
    return static_cast<std::size_t>(::setrlimit(RLIMIT_NOFILE, &files) == 0 ? files.rlim_max : held);
}

} // namespace broker
