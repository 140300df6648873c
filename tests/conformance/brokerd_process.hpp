// brokerd_process: a real brokerd on free loopback ports, with a data directory of its own, gone when this is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace broker::test {

class brokerd_process {
public:
    // `schemes` as in --listen; `settings`: "BROKERD__SECTION__KEY=value". Throws std::runtime_error with the log when it
    // does not come up.
    brokerd_process(const std::vector<std::string_view>& schemes, const std::vector<std::string_view>& settings, unsigned threads = 2);
    ~brokerd_process();
    brokerd_process(const brokerd_process&) = delete;
    brokerd_process& operator=(const brokerd_process&) = delete;

    [[nodiscard]] std::uint16_t port(std::string_view scheme) const;
    [[nodiscard]] bool running();
    [[nodiscard]] std::string log() const;

private:
    struct listener {
        std::string_view scheme;
        std::uint16_t port;
    };
    void start(const std::vector<std::string_view>& settings, unsigned threads);
    void stop();

    std::string directory_;
    std::vector<listener> listeners_;
    pid_t pid_ = -1;
};

} // namespace broker::test
