#include "net/tls_endpoint.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <sys/stat.h>

#include <chrono>

namespace broker {

namespace {

// Changes whenever a file does, or another one takes its place; symbolic links are followed.
std::string stamps_of(const tls_settings& settings) {
    std::string text;
    for (const auto& file : files_of(settings)) {
        struct stat s{};
        if (::stat(file.c_str(), &s) != 0) s = {};
        text += fmt::format("{}:{}:{}:{}.{} ", s.st_dev, s.st_ino, s.st_size, s.st_mtim.tv_sec, s.st_mtim.tv_nsec);
    }
    return text;
}

time_point wall_clock() {
    return time_point{std::chrono::duration_cast<nanoseconds>(std::chrono::system_clock::now().time_since_epoch())};
}

} // namespace

result<void, std::string> tls_endpoint::load() {
    auto stamps = stamps_of(settings_); // before reading: what changes meanwhile is seen by the next watch()
    auto made = tls_context::load(settings_, tickets_);
    {
        const std::lock_guard lock{mutex_};
        stamps_ = std::move(stamps);
        if (made) current_ = *made;
    }
    if (!made) return fail(made.error());
    for (const auto& line : (*made)->warnings(wall_clock())) spdlog::warn("listener {}: {}", listener_, line);
    return {};
}

result<void, std::string> tls_endpoint::reload(std::string_view why) {
    auto loaded = load();
    if (!loaded) {
        spdlog::error("listener {}: TLS stays as it is ({}): {}", listener_, why, loaded.error());
        return loaded;
    }
    const auto& c = current()->certificates().front();
    spdlog::info("listener {}: TLS is read again ({}): {}, valid until {:%Y-%m-%d}", listener_, why, c.subject,
                 fmt::gmtime(static_cast<std::time_t>(epoch_ms(c.not_after) / 1000)));
    return loaded;
}

void tls_endpoint::watch(time_point now) {
    tickets_->rotate(now);
    if (!settings_.watch) return;
    auto stamps = stamps_of(settings_);
    {
        const std::lock_guard lock{mutex_};
        const bool settled = stamps == seen_; // certificate and key are often written one after the other
        seen_ = stamps;
        if (stamps == stamps_ || !settled) return;
    }
    (void)reload("a file has changed");
}

std::shared_ptr<const tls_context> tls_endpoint::current() const {
    const std::lock_guard lock{mutex_};
    return current_;
}

} // namespace broker
