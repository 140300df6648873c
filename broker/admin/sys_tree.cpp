#include "admin/sys_tree.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace broker::admin {

namespace {

constexpr std::string_view root = "$SYS/broker/";
constexpr std::array<double, 3> windows_min{1, 5, 15};
constexpr std::array<std::string_view, 3> window_names{"1min", "5min", "15min"};

template <class Counts>
std::uint64_t total(const Counts& counts) {
    return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}, [](std::uint64_t sum, const auto& c) {
        if constexpr (requires { c.size(); }) return sum + total(c);
        else return sum + c;
    });
}

// What limits cost: not what nobody subscribed to, what expired, or what its publisher did not want back.
std::uint64_t dropped_by_limits(const counters& c) {
    std::uint64_t sum = 0;
    for (const auto reason : {drop_reason::queue_full, drop_reason::too_big, drop_reason::storage}) {
        sum += c.messages_dropped[static_cast<std::size_t>(reason)];
    }
    return sum;
}

} // namespace

sys_tree::sys_tree(std::string_view version)
    : version_{.topic = fmt::format("{}version", root), .text = fmt::format("brokerd version {}", version)} {}

// An exponential moving average, weighed by the time that passed: after one window an old rate counts 1/e.
void sys_tree::load::add(std::uint64_t total, double minutes) {
    const auto per_minute = static_cast<double>(total - last_) / minutes;
    last_ = total;
    for (std::size_t i = 0; i != averages_.size(); ++i) {
        averages_[i] = per_minute + (averages_[i] - per_minute) * std::exp(-minutes / windows_min[i]);
    }
}

std::vector<sys_value> sys_tree::update(const sys_reading& r) {
    const auto& c = r.sums;
    const auto clients = counters::at_least_zero(total(c.clients));
    const auto online = counters::at_least_zero(c.sessions_online);
    // Sessions without a connection. STOMP clients without a durable subscription have no session beyond it.
    const auto disconnected = r.sessions > online ? r.sessions - online : 0;
    clients_maximum_ = std::max(clients_maximum_, clients);

    std::array<std::uint64_t, load_count> totals{};
    totals[messages_received] = total(c.packets_received);
    totals[messages_sent] = total(c.packets_sent);
    totals[publish_received] = total(c.messages_received);
    totals[publish_sent] = total(c.messages_sent);
    totals[publish_dropped] = dropped_by_limits(c);
    totals[bytes_received] = c.network_bytes_received;
    totals[bytes_sent] = c.network_bytes_sent;
    totals[connections] = total(c.connects_received);
    totals[sockets] = c.sockets_opened;
    if (last_ == time_point{}) last_ = r.started_at;
    const std::chrono::duration<double, std::ratio<60>> since = r.now - last_;
    if (since.count() > 0) {
        for (std::size_t i = 0; i != load_count; ++i) loads_[i].add(totals[i], since.count());
        last_ = r.now;
    }

    std::vector<sys_value> values;
    values.reserve(64);
    const auto add = [&](std::string_view name, std::uint64_t value) {
        values.push_back({fmt::format("{}{}", root, name), fmt::to_string(value)});
    };
    const auto uptime_s = std::chrono::duration_cast<seconds>(r.now - r.started_at).count();
    values.push_back({fmt::format("{}uptime", root), fmt::format("{} seconds", uptime_s)});
    add("clients/connected", clients);
    add("clients/disconnected", disconnected);
    add("clients/total", clients + disconnected);
    add("clients/maximum", clients_maximum_);
    add("clients/expired", c.sessions_expired);
    add("messages/received", totals[messages_received]);
    add("messages/sent", totals[messages_sent]);
    add("publish/messages/received", totals[publish_received]);
    add("publish/messages/sent", totals[publish_sent]);
    add("publish/messages/dropped", totals[publish_dropped]);
    add("publish/bytes/received", total(c.message_bytes_received));
    add("publish/bytes/sent", total(c.message_bytes_sent));
    add("bytes/received", totals[bytes_received]);
    add("bytes/sent", totals[bytes_sent]);
    add("subscriptions/count", r.subscriptions);
    add("shared_subscriptions/count", r.shared_subscriptions);
    add("retained messages/count", r.retained_messages);
    add("store/messages/count", r.retained_messages + counters::at_least_zero(c.owed_messages) + r.queued_messages);
    add("store/messages/bytes", r.retained_bytes + counters::at_least_zero(c.owed_bytes) + r.queued_bytes);
    add("heap/current", r.heap_bytes);
    constexpr std::array<std::string_view, load_count> names{
        "messages/received", "messages/sent", "publish/received", "publish/sent", "publish/dropped",
        "bytes/received",    "bytes/sent",    "connections",      "sockets"};
    for (std::size_t i = 0; i != load_count; ++i) {
        for (std::size_t w = 0; w != window_names.size(); ++w) {
            values.push_back({fmt::format("{}load/{}/{}", root, names[i], window_names[w]),
                              fmt::format("{:.2f}", loads_[i].averages()[w])});
        }
    }
    return values;
}

} // namespace broker::admin
