// failing_disk: a file system of RocksDB's that fails the n-th change, and the power cut that follows: what was not synced
// when it happened is gone. Changes are appends, syncs, creations, renames, deletions and syncs of directories.
#pragma once

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace broker::test {

class failing_disk final : public rocksdb::FileSystemWrapper {
public:
    enum class how : std::uint8_t { io_error, no_space };

    failing_disk() : FileSystemWrapper{rocksdb::FileSystem::Default()} {}
    const char* Name() const override { return "failing_disk"; }

    // The change number `at` (from 1, counted from now) and the `times` - 1 after it fail; 0: none does.
    void fail_at(std::uint64_t at, std::uint64_t times, how what) {
        changes_ = 0;
        at_ = at;
        times_ = times;
        what_ = what;
    }
    [[nodiscard]] std::uint64_t changes() const { return changes_; }
    [[nodiscard]] bool failed() const { return at_ != 0 && changes_ >= at_; }

    // Files as they would be after the power went: what was appended behind the last sync is cut off.
    void cut_power() {
        const std::lock_guard lock{mutex_};
        for (const auto& [file, synced] : synced_) {
            std::uint64_t size = 0;
            if (!target()->GetFileSize(file, {}, &size, nullptr).ok() || size <= synced) continue;
            if (::truncate(file.c_str(), static_cast<off_t>(synced)) != 0) std::abort();
        }
    }

    rocksdb::IOStatus change() {
        const auto now = ++changes_;
        if (at_ == 0 || now < at_ || now >= at_ + times_) return rocksdb::IOStatus::OK();
        if (what_ == how::io_error) return rocksdb::IOStatus::IOError("the test's disk fails");
        auto full = rocksdb::IOStatus::NoSpace("the test's disk is full");
        full.SetRetryable(true);
        return full;
    }
    void synced(const std::string& file, std::uint64_t size) {
        const std::lock_guard lock{mutex_};
        synced_[file] = size;
    }

    rocksdb::IOStatus NewWritableFile(const std::string& file, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSWritableFile>* made, rocksdb::IODebugContext* dbg) override {
        if (auto s = change(); !s.ok()) return s;
        std::unique_ptr<rocksdb::FSWritableFile> real;
        auto s = target()->NewWritableFile(file, options, &real, dbg);
        if (s.ok()) *made = std::make_unique<writable>(*this, file, std::move(real));
        if (s.ok()) synced(file, 0);
        return s;
    }
    rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to, const rocksdb::IOOptions& options,
                                 rocksdb::IODebugContext* dbg) override {
        if (auto s = change(); !s.ok()) return s;
        auto s = target()->RenameFile(from, to, options, dbg);
        const std::lock_guard lock{mutex_};
        if (auto node = synced_.extract(from); s.ok() && !node.empty()) synced_[to] = node.mapped();
        return s;
    }
    rocksdb::IOStatus DeleteFile(const std::string& file, const rocksdb::IOOptions& options,
                                 rocksdb::IODebugContext* dbg) override {
        if (auto s = change(); !s.ok()) return s;
        return target()->DeleteFile(file, options, dbg);
    }
    rocksdb::IOStatus NewDirectory(const std::string& dir, const rocksdb::IOOptions& options,
                                   std::unique_ptr<rocksdb::FSDirectory>* made, rocksdb::IODebugContext* dbg) override {
        std::unique_ptr<rocksdb::FSDirectory> real;
        auto s = target()->NewDirectory(dir, options, &real, dbg);
        if (s.ok()) *made = std::make_unique<directory>(*this, std::move(real));
        return s;
    }

private:
    class writable final : public rocksdb::FSWritableFileOwnerWrapper {
    public:
        writable(failing_disk& disk, std::string file, std::unique_ptr<rocksdb::FSWritableFile>&& real)
            : FSWritableFileOwnerWrapper{std::move(real)}, disk_{disk}, file_{std::move(file)} {}
        rocksdb::IOStatus Append(const rocksdb::Slice& bytes, const rocksdb::IOOptions& o, rocksdb::IODebugContext* d) override {
            if (auto s = disk_.change(); !s.ok()) {
                // Half of it, as a full disk does.
                (void)target()->Append(rocksdb::Slice{bytes.data(), bytes.size() / 2}, o, d);
                return s;
            }
            return target()->Append(bytes, o, d);
        }
        rocksdb::IOStatus Append(const rocksdb::Slice& bytes, const rocksdb::IOOptions& o,
                                 const rocksdb::DataVerificationInfo&, rocksdb::IODebugContext* d) override {
            return Append(bytes, o, d);
        }
        rocksdb::IOStatus Sync(const rocksdb::IOOptions& o, rocksdb::IODebugContext* d) override {
            if (auto s = disk_.change(); !s.ok()) return s;
            auto s = target()->Sync(o, d);
            if (s.ok()) disk_.synced(file_, target()->GetFileSize(o, d));
            return s;
        }
        rocksdb::IOStatus Fsync(const rocksdb::IOOptions& o, rocksdb::IODebugContext* d) override { return Sync(o, d); }

    private:
        failing_disk& disk_;
        std::string file_;
    };
    class directory final : public rocksdb::FSDirectoryWrapper {
    public:
        directory(failing_disk& disk, std::unique_ptr<rocksdb::FSDirectory>&& real)
            : FSDirectoryWrapper{std::move(real)}, disk_{disk} {}
        rocksdb::IOStatus Fsync(const rocksdb::IOOptions& o, rocksdb::IODebugContext* d) override {
            if (auto s = disk_.change(); !s.ok()) return s;
            return FSDirectoryWrapper::Fsync(o, d);
        }
        rocksdb::IOStatus FsyncWithDirOptions(const rocksdb::IOOptions& o, rocksdb::IODebugContext* d,
                                              const rocksdb::DirFsyncOptions& f) override {
            if (auto s = disk_.change(); !s.ok()) return s;
            return FSDirectoryWrapper::FsyncWithDirOptions(o, d, f);
        }

    private:
        failing_disk& disk_;
    };

    std::atomic<std::uint64_t> changes_{0};
    std::atomic<std::uint64_t> at_{0};
    std::atomic<std::uint64_t> times_{0};
    std::atomic<how> what_{how::io_error};
    std::mutex mutex_;
    std::map<std::string, std::uint64_t> synced_;
};

} // namespace broker::test
