#include "storage/maintenance.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace broker::storage {

namespace fs = std::filesystem;

namespace {

bool sync(const fs::path& file) {
    const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    const bool done = ::fsync(fd) == 0;
    ::close(fd);
    return done;
}

bool is_part_of_store(const std::string& file) { return file != "LOCK" && file != "LOG" && !file.starts_with("LOG.old") && file != "admin.sock"; }

// The reason; empty: copied and synced.
std::string copy(const fs::path& file, const fs::path& to, const struct stat& owner) {
    std::error_code ec;
    fs::copy_file(file, to, ec);
    if (ec) return ec.message();
    if (::geteuid() == 0 && ::lchown(to.c_str(), owner.st_uid, owner.st_gid) != 0) return std::generic_category().message(errno);
    return sync(to) ? "" : "it cannot be synced";
}

} // namespace

fs::path verified_copy(const fs::path& dir) { return dir / "verified"; }

void remove_verified_copy(const fs::path& dir) {
    std::error_code ignored;
    fs::remove_all(verified_copy(dir), ignored);
    fs::remove_all(verified_copy(dir).string() + ".partial", ignored);
}

result<store_findings, storage_error> restore_store(const fs::path& backup, const fs::path& dir, const keep_going& go_on) {
    const auto refuse = [&](std::string_view why) { return fail(storage_error{fmt::format("{}: {}", dir.string(), why)}); };
    std::error_code ec;
    const bool there = fs::exists(fs::symlink_status(dir, ec));
    if (there && !fs::is_directory(dir, ec)) return refuse("it is a file, not a directory");
    if (there && !fs::is_empty(dir, ec)) return refuse("it is not empty; move it away, or name another directory");
    auto found = verify_store(backup, go_on);
    if (!found) return found;
    if (!found->wrong.empty()) {
        return fail(storage_error{fmt::format("{} is not restored, it is damaged: {}", backup.string(), found->wrong.front()), storage_error::kind::damaged});
    }
    struct stat owner {};
    if (::stat(backup.c_str(), &owner) != 0) return refuse(std::generic_category().message(errno));
    const auto partial = fs::path{dir.string() + ".restoring"};
    if (::mkdir(partial.c_str(), 0700) != 0) {
        return fail(storage_error{fmt::format("{}: {}{}", partial.string(), std::generic_category().message(errno),
                                              errno == EEXIST ? "; left by a restore that was interrupted? remove it" : "")});
    }
    const auto undo = [&](std::string_view why) {
        fs::remove_all(partial, ec);
        return refuse(why);
    };
    for (const auto& f : fs::directory_iterator{backup, ec}) {
        const auto name = f.path().filename().string();
        if (!f.is_regular_file() || !is_part_of_store(name)) continue;
        if (!go_on()) return undo("interrupted");
        if (const auto why = copy(f.path(), partial / name, owner); !why.empty()) return undo(fmt::format("{}: {}", name, why));
    }
    if (ec) return undo(ec.message());
    if (::geteuid() == 0 && ::lchown(partial.c_str(), owner.st_uid, owner.st_gid) != 0) return undo(std::generic_category().message(errno));
    if (!sync(partial)) return undo("it cannot be synced");
    if (there) fs::remove(dir, ec); // empty
    fs::rename(partial, dir, ec);
    if (ec) return undo(ec.message());
    if (!sync(fs::absolute(dir).parent_path())) return refuse("the directory it is in cannot be synced");
    return found;
}

} // namespace broker::storage
