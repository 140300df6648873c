#include "cli/durability/disk_image.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

namespace broker::cli::durability {

namespace {

constexpr off_t image_size = 2LL * 1024 * 1024 * 1024; // sparse
constexpr auto rest_most = std::chrono::seconds{30};

// 0: it ran and was content.
int status_of(std::vector<std::string> words) {
    std::vector<char*> argv;
    for (auto& w : words) argv.push_back(w.data());
    argv.push_back(nullptr);
    const auto pid = ::fork();
    if (pid == 0) {
        const int nowhere = ::open("/dev/null", O_WRONLY);
        ::dup2(nowhere, STDOUT_FILENO);
        ::execvp(argv[0], argv.data());
        ::_exit(127);
    }
    int status = -1;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    return status;
}

void must(const std::vector<std::string>& words) {
    if (const auto status = status_of(words); status != 0) {
        throw std::runtime_error(fmt::format("power cuts cannot be played: `{}` failed (they need root, e2fsprogs and loop devices)",
                                             fmt::join(words, " ")));
    }
}

// What the kernel has written to the device so far, and nothing while it writes.
std::optional<std::uint64_t> writes_to(dev_t device) {
    std::ifstream in{fmt::format("/sys/dev/block/{}:{}/stat", major(device), minor(device))};
    std::array<std::uint64_t, 9> fields{}; // see the kernel's Documentation/block/stat.rst
    for (auto& f : fields) in >> f;
    if (!in) throw std::runtime_error("power cuts cannot be played: /sys does not tell what is written to the loop device");
    if (fields[8] != 0) return std::nullopt; // in flight
    return fields[4];
}

} // namespace

disk_image::disk_image(const std::filesystem::path& in)
    : image_{in / "disk.img"}, remembered_{in / "disk-at-the-cut.img"}, root_{in / "disk"} {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
        throw std::runtime_error(fmt::format("power cuts cannot be played: no mounts of its own: {}; they need root", std::strerror(errno)));
    }
    const int fd = ::open(image_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    const bool made = fd >= 0 && ::ftruncate(fd, image_size) == 0;
    if (fd >= 0) ::close(fd);
    if (!made) throw std::runtime_error(fmt::format("{}: cannot be written: {}", image_.string(), std::strerror(errno)));
    must({"mkfs.ext4", "-q", "-F", image_.string()});
    std::filesystem::create_directory(root_);
    mount();
}

disk_image::~disk_image() { unmount(); }

// The journal is written when somebody syncs, and otherwise as late as it can be: what is not synced is lost.
void disk_image::mount() {
    must({"mount", "-o", "loop,commit=300", image_.string(), root_.string()});
    mounted_ = true;
}

void disk_image::unmount() {
    if (std::exchange(mounted_, false)) (void)status_of({"umount", root_.string()});
}

// The kernel may write something of its own meanwhile: then the copy is of no one instant, and made again.
void disk_image::remember(pid_t process) {
    ::kill(process, SIGSTOP);
    int status = 0;
    if (::waitpid(process, &status, WUNTRACED) != process || !WIFSTOPPED(status)) throw std::runtime_error("brokerd ended by itself");
    struct stat there {};
    if (::stat(root_.c_str(), &there) != 0) throw std::runtime_error(fmt::format("{}: {}", root_.string(), std::strerror(errno)));
    for (const auto until = std::chrono::steady_clock::now() + rest_most; std::chrono::steady_clock::now() < until;) {
        const auto before = writes_to(there.st_dev);
        if (!before) continue;
        must({"cp", "--sparse=always", image_.string(), remembered_.string()});
        if (writes_to(there.st_dev) == before) return;
    }
    throw std::runtime_error(fmt::format("{}: the disk does not come to rest", image_.string()));
}

void disk_image::go_back() {
    unmount();
    std::filesystem::rename(remembered_, image_);
    mount();
}

} // namespace broker::cli::durability
