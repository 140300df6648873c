#include "storage/data_directory.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

namespace broker::storage {

namespace {

namespace fs = std::filesystem;

auto refuse(const fs::path& dir, std::string_view why, std::string_view what_to_do) {
    return fail(storage_error{fmt::format("data directory {}: {}; {}", dir.string(), why, what_to_do)});
}

std::string user(uid_t id) {
    const auto* const entry = ::getpwuid(id);
    return entry != nullptr ? entry->pw_name : fmt::format("user {}", id);
}

constexpr std::string_view choose_another = "choose another with --data-dir or node.data_dir";

} // namespace

result<void, storage_error> prepare_data_directory(const fs::path& dir) {
    struct stat about {};
    if (::stat(dir.c_str(), &about) != 0) {
        const auto missing = errno;
        std::error_code ec;
        if (missing == ENOENT && dir.has_parent_path()) fs::create_directories(dir.parent_path(), ec);
        if (ec || missing != ENOENT || ::mkdir(dir.c_str(), 0700) != 0) {
            const auto why = ec ? ec.message() : std::generic_category().message(missing != ENOENT ? missing : errno);
            return refuse(dir, "cannot create it: " + why, "choose another with --data-dir or make its parent writable");
        }
        return {};
    }
    if (!S_ISDIR(about.st_mode)) return refuse(dir, "it is a file, not a directory", choose_another);
    if (about.st_uid != ::geteuid()) {
        return refuse(dir, fmt::format("it belongs to {}, brokerd runs as {}", user(about.st_uid), user(::geteuid())),
                      fmt::format("run brokerd as its owner or chown -R it, or {}", choose_another));
    }
    if ((about.st_mode & S_IWUSR) == 0) {
        return refuse(dir, fmt::format("it is read-only (mode {:04o})", about.st_mode & 07777U),
                      fmt::format("chmod u+w it, or {}", choose_another));
    }
    if (::access(dir.c_str(), R_OK | W_OK | X_OK) != 0) {
        return refuse(dir, fmt::format("it cannot be written: {}", std::generic_category().message(errno)),
                      fmt::format("make it writable, or {}", choose_another));
    }
    return {};
}

int lock_holder(const fs::path& lock_file) {
    const int fd = ::open(lock_file.c_str(), O_RDWR | O_CLOEXEC);
    if (fd < 0) return 0;
    struct flock asked {};
    asked.l_type = F_WRLCK;
    asked.l_whence = SEEK_SET;
    const bool known = ::fcntl(fd, F_GETLK, &asked) == 0 && asked.l_type != F_UNLCK;
    ::close(fd);
    return known ? asked.l_pid : 0;
}

} // namespace broker::storage
