#include "cli/bench/report.hpp"

#include "cli/output.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace broker::cli::bench {

namespace {

struct point {
    const char* name;
    double share;
};
constexpr std::array<point, 4> points{{{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}}};

double microseconds(histogram::nanoseconds n) { return std::round(static_cast<double>(n.count()) / 100) / 10; }

std::uint64_t per_second(std::uint64_t count, std::chrono::duration<double> time) {
    return time.count() > 0 ? static_cast<std::uint64_t>(std::llround(static_cast<double>(count) / time.count())) : 0;
}

double rounded(std::chrono::duration<double> time) { return std::round(time.count() * 1'000) / 1'000; }

boost::json::value latency(const histogram& h) {
    if (h.count() == 0) return nullptr;
    boost::json::object o{{"count", h.count()}};
    for (const auto& p : points) o[p.name] = microseconds(h.percentile(p.share));
    o["max"] = microseconds(h.maximum());
    return o;
}

std::string grouped(std::uint64_t n) {
    auto digits = std::to_string(n);
    for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3) digits.insert(static_cast<std::size_t>(at), ",");
    return digits;
}

std::string spoken(histogram::nanoseconds n) {
    const auto us = static_cast<double>(n.count()) / 1e3;
    if (us < 1e3) return fmt::format("{:.0f} us", us);
    return us < 1e6 ? fmt::format("{:.2f} ms", us / 1e3) : fmt::format("{:.2f} s", us / 1e6);
}

std::string spoken(const histogram& h) {
    std::string line;
    for (const auto& p : points) line += fmt::format("{} {}, ", p.name, spoken(h.percentile(p.share)));
    return line + fmt::format("max {}", spoken(h.maximum()));
}

} // namespace

boost::json::object document(const options& o, const report& r) {
    boost::json::object d{{"verb", name(o.what)}, {"url", o.url}, {"protocol", name(o.speaks)}, {"connections", o.connections()}};
    d["connect"] = {{"opened", r.all.opened},
                    {"failed", r.all.failed},
                    {"seconds", rounded(r.opening)},
                    {"per_second", per_second(r.all.opened, r.opening)},
                    {"latency_us", latency(r.found.connect)}};
    d["seconds"] = rounded(r.running);
    d["interrupted"] = r.interrupted;
    d["closed_by_broker"] = r.all.ended;
    if (o.what != verb::conn) {
        d["publishers"] = o.publishing;
        d["subscribers"] = o.subscribing;
        d["topic"] = o.topic;
        d["qos"] = o.qos;
        d["payload_bytes"] = o.payload_bytes;
        d["rate"] = o.rate > 0 ? boost::json::value(o.rate) : boost::json::value(nullptr);
        d["window"] = o.rate > 0 ? boost::json::value(nullptr) : boost::json::value(o.window);
        d["published"] = r.all.sent;
        d["published_per_second"] = per_second(r.in_time.sent, r.running);
        d["behind"] = r.found.behind;
        d["acknowledged"] = r.all.acknowledged - r.found.refused;
        d["acknowledged_per_second"] = per_second(r.in_time.acknowledged, r.running);
        d["unacknowledged"] = o.qos == 0 ? 0 : r.all.sent - r.all.acknowledged;
        d["refused"] = r.found.refused;
        d["acknowledge_latency_us"] = latency(r.found.acknowledgement);
        d["expected"] = r.all.sent * o.receivers();
        d["delivered"] = r.all.delivered;
        d["delivered_per_second"] = per_second(r.in_time.delivered, r.running);
        d["lost"] = r.found.lost;
        d["duplicates"] = r.found.wrong.duplicates;
        d["out_of_order"] = r.found.wrong.out_of_order;
        d["foreign"] = r.found.foreign;
        d["stalls"] = r.found.stalls;
        d["delivery_latency_us"] = latency(r.found.delivery);
    }
    d["first_trouble"] = r.found.first_trouble.empty() ? boost::json::value(nullptr) : boost::json::value(r.found.first_trouble);
    return d;
}

std::string text(const options& o, const report& r) {
    std::string all;
    const auto line = [&all](std::string_view what, const std::string& value) { all += fmt::format("{:<16}{}\n", what, value); };
    const auto& f = r.found;
    line("connections", fmt::format("{} opened, {} failed, {} closed by the broker; {} per s", grouped(r.all.opened), grouped(r.all.failed),
                                    grouped(r.all.ended), grouped(per_second(r.all.opened, r.opening))));
    if (f.connect.count() != 0) line("to connect", spoken(f.connect));
    if (o.what != verb::conn) {
        const auto rate = [&](std::uint64_t n) { return grouped(per_second(n, r.running)); };
        line("published", fmt::format("{} in {:.1f} s, {} per s", grouped(r.all.sent), r.running.count(), rate(r.in_time.sent)));
        if (f.behind != 0) line("behind", fmt::format("{} were due and could not be sent in time", grouped(f.behind)));
        if (o.qos != 0) {
            line("acknowledged", fmt::format("{}, {} per s; {} refused, {} without an answer", grouped(r.all.acknowledged - f.refused),
                                             rate(r.in_time.acknowledged), grouped(f.refused), grouped(r.all.sent - r.all.acknowledged)));
            if (f.acknowledgement.count() != 0) line("to acknowledge", spoken(f.acknowledgement));
        }
        if (o.receivers() != 0) {
            line("delivered", fmt::format("{} of {}, {} per s; {} lost, {} twice, {} out of order", grouped(r.all.delivered),
                                          grouped(r.all.sent * o.receivers()), rate(r.in_time.delivered), grouped(f.lost),
                                          grouped(f.wrong.duplicates), grouped(f.wrong.out_of_order)));
            if (f.delivery.count() != 0) line("to deliver", spoken(f.delivery));
        }
        if (f.stalls != 0) line("stalls", fmt::format("{} times nothing came for a second, and a window was opened again", grouped(f.stalls)));
    }
    if (!f.first_trouble.empty()) line("trouble", printable(f.first_trouble));
    return all;
}

} // namespace broker::cli::bench
