// alarms: what an operator should know now, one per name, until it is over. Shown by `brokerctl status` and
// broker_alarms; the log has their beginning and end.
// Threading: any thread.
#pragma once

#include "core/time.hpp"

#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace broker {

struct alarm {
    std::string name{};   // disk_full, store_failed, store_damaged, jwks_unavailable
    std::string detail{}; // one line: what, where, what to do
    time_point since{};
};

class alarms {
public:
    // An alarm that is raised already keeps its beginning.
    void raise(const std::string& name, std::string detail, time_point now) {
        const std::lock_guard lock{mutex_};
        auto& one = by_name_.try_emplace(name, alarm{.name = name, .since = now}).first->second;
        one.detail = std::move(detail);
    }
    void clear(const std::string& name) {
        const std::lock_guard lock{mutex_};
        by_name_.erase(name);
    }
    [[nodiscard]] std::vector<alarm> all() const {
        const std::lock_guard lock{mutex_};
        std::vector<alarm> list;
        for (const auto& [name, one] : by_name_) list.push_back(one);
        return list;
    }

private:
    mutable std::mutex mutex_;
    std::map<std::string, alarm> by_name_;
};

} // namespace broker
