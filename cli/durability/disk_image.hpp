// disk_image: an ext4 file system in a file, on which a power cut can be played. What the kernel has not written to the image by the
// instant of the cut is lost, as it is from a machine's memory; what brokerd had synced is there, or the promise is broken. Two
// things it does not play: a drive that confirms what it does not keep, and a write that is torn in the middle.
#pragma once

#include <filesystem>

#include <sys/types.h>

namespace broker::cli::durability {

class disk_image {
public:
    // In the folder `in`, mounted at root(), visible to this process and its children only: it goes with them. Before any thread is
    // started. Throws std::runtime_error: it needs root, mkfs.ext4, loop devices.
    explicit disk_image(const std::filesystem::path& in);
    ~disk_image();
    disk_image(const disk_image&) = delete;
    disk_image& operator=(const disk_image&) = delete;

    [[nodiscard]] const std::filesystem::path& root() const { return root_; }

    // Remembers the disk as it is while `process` stands still; it does not go on.
    void remember(pid_t process);
    // The disk is what it was when it was remembered. Nobody uses it.
    void go_back();

private:
    void mount();
    void unmount();

    std::filesystem::path image_;
    std::filesystem::path remembered_;
    std::filesystem::path root_;
    bool mounted_ = false;
};

} // namespace broker::cli::durability
