// failed_attempts: credentials that were not good, by address, so that whoever has none does not fill the log.
// Threading: none of its own.
#pragma once

#include "core/time.hpp"

#include <algorithm>
#include <map>
#include <string>

namespace broker {

class failed_attempts {
public:
    static constexpr unsigned most = 10; // of an address within `window`; more are refused unlooked at
    static constexpr seconds window{60};
    static constexpr std::size_t addresses_max = 4'096; // the oldest is forgotten

    // One more of this address. False: there have been `most` already.
    [[nodiscard]] bool count(const std::string& address, time_point now) {
        std::erase_if(of_, [now](const auto& one) { return one.second.begun + window <= now; });
        if (of_.size() >= addresses_max && !of_.contains(address)) {
            of_.erase(std::ranges::min_element(of_, {}, [](const auto& one) { return one.second.begun; }));
        }
        auto& mine = of_.try_emplace(address, attempts{.begun = now}).first->second;
        if (mine.number >= most) return false;
        ++mine.number;
        return true;
    }
    [[nodiscard]] std::size_t size() const { return of_.size(); }

private:
    struct attempts {
        time_point begun{};
        unsigned number = 0;
    };
    std::map<std::string, attempts> of_;
};

} // namespace broker
