#include "storage/committer.hpp"

#include "storage/keys.hpp"
#include "storage/records.hpp"
#include "storage/transients.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace broker::storage {

namespace {

constexpr std::size_t group_bytes_max = 4 * 1024 * 1024;
constexpr std::size_t group_batches_max = 4096;

histogram make_histogram(std::vector<double> bounds) {
    histogram h{.bounds = std::move(bounds)};
    h.counts.resize(h.bounds.size() + 1);
    return h;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

} // namespace

void histogram::observe(double value) {
    const auto at = std::ranges::lower_bound(bounds, value) - bounds.begin();
    ++counts[static_cast<std::size_t>(at)];
    sum += value;
}

committer::committer(backend& rows, durability level, std::vector<callback> told, std::uint64_t room_wanted)
    : rows_{rows}, level_{level}, told_{std::move(told)}, submitted_(told_.size()), durable_(told_.size()),
      room_wanted_{room_wanted} {
    const std::vector<double> seconds{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
                                      0.025,  0.05,    0.1,    0.25,  0.5,    1,     2.5};
    metrics_.commit_seconds = make_histogram(seconds);
    metrics_.fsync_seconds = make_histogram(seconds);
    metrics_.batch_messages = make_histogram({1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096});
}

ticket committer::submit(shard_index from, batch&& operations, std::vector<load_request>&& loads) {
    bool first = false;
    ticket number;
    {
        const std::lock_guard lock{mutex_};
        first = pending_.empty();
        number = ticket{++submitted_[from.value()]};
        pending_bytes_.fetch_add(operations.bytes(), std::memory_order_relaxed);
        pending_.push_back({.from = from,
                            .number = number,
                            .operations = std::move(operations),
                            .loads = std::move(loads)});
    }
    if (first && wake_) wake_();
    return number;
}

bool committer::idle() const {
    const std::lock_guard lock{mutex_};
    return pending_.empty() && group_.empty();
}

bool committer::run_once() {
    if (room_wanted_ != 0 && !failed()) look_at_room();
    if (group_.empty()) {
        const std::lock_guard lock{mutex_};
        std::size_t bytes = 0;
        while (!pending_.empty() && group_.size() < group_batches_max && bytes < group_bytes_max) {
            bytes += pending_.front().operations.bytes();
            group_.push_back(std::move(pending_.front()));
            pending_.pop_front();
        }
    }
    if (group_.empty()) return false;

    const auto start = std::chrono::steady_clock::now();
    std::vector<const batch*> batches;
    std::size_t operations = 0;
    std::size_t bytes = 0;
    auto asked = durability::none;
    for (const auto& s : group_) {
        bytes += s.operations.bytes();
        operations += s.operations.operations();
        asked = std::max(asked, s.operations.required());
        if (!s.operations.empty()) batches.push_back(&s.operations);
    }
    batch lasting;
    if (without_transients(batches, lasting)) {
        batches.clear();
        if (!lasting.empty()) batches.push_back(&lasting);
    }
    const bool sync = std::min(asked, level_) == durability::sync;
    if (!batches.empty() || failed()) { // what only reads waits for the store as well
        if (failed()) rows_.recover();
        if (auto written = rows_.write(batches, sync); !written) {
            const bool first = !failed_.exchange(true);
            const auto& e = written.error();
            // The first words are the reason; later ones say that it is still so.
            if (first) {
                set_trouble({.failed = true, .full = e.why == storage_error::kind::no_space, .what = e.what});
                tell_trouble();
            }
            return false;
        }
        if (failed_.exchange(false)) {
            low_ = false;
            set_trouble({});
            tell_trouble();
        }
    }
    const auto wrote_in = seconds_since(start);

    std::vector<completion> news(told_.size());
    std::vector<bool> touched(told_.size());
    for (auto& s : group_) {
        const auto i = s.from.value();
        durable_[i] = s.number;
        touched[i] = true;
        for (const auto& request : s.loads) news[i].loaded.push_back(load(request));
    }
    pending_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
    group_.clear();
    {
        const std::lock_guard lock{metrics_mutex_};
        metrics_.commit_seconds.observe(seconds_since(start));
        if (sync && !batches.empty()) metrics_.fsync_seconds.observe(wrote_in);
        if (operations != 0) metrics_.batch_messages.observe(static_cast<double>(operations));
    }
    for (std::size_t i = 0; i != told_.size(); ++i) {
        if (!touched[i]) continue;
        news[i].upto = durable_[i];
        news[i].failed = low_;
        news[i].full = low_;
        told_[i](std::move(news[i]));
    }
    return true;
}

// A tenth of a small file system is enough; a little more than wanted ends the trouble, so that it does not flicker.
void committer::look_at_room() {
    const auto room = rows_.room_left();
    if (!room) return;
    const auto wanted = std::min(room_wanted_, room->total / 10);
    const bool low = room->free < (low_ ? wanted + wanted / 4 : wanted);
    if (low == low_) return;
    low_ = low;
    set_trouble(low ? store_trouble{.full = true,
                                    .what = fmt::format("where the data directory is {} of {} MiB are free, {} must stay so (limits.disk_free)",
                                                        room->free >> 20, room->total >> 20, wanted >> 20)}
                    : store_trouble{});
    tell_trouble();
}

void committer::set_trouble(const store_trouble& now) {
    const std::lock_guard lock{metrics_mutex_};
    trouble_ = now;
}

void committer::tell_trouble() {
    const auto now = trouble();
    for (std::size_t i = 0; i != told_.size(); ++i) {
        told_[i]({.upto = durable_[i], .failed = now.any(), .full = now.full});
    }
}

loaded_rows committer::load(const load_request& request) const {
    loaded_rows found{.request = request};
    std::size_t bytes = 0;
    const auto visit = [&](std::string_view key, std::string_view value) {
        if (found.entries.size() == request.messages_max || bytes >= request.bytes_max) {
            found.more = true;
            return false;
        }
        bytes += value.size();
        found.entries.emplace_back(key, value);
        return true;
    };
    if (request.priority) {
        load_queue(found, visit);
        return found;
    }
    const auto done = rows_.scan(column::entries, session_prefix(request.of), entry_key(request.of, request.from), visit);
    if (!done) {
        found.more = true; // what cannot be read now is tried again later
        if (unreadable_) unreadable_(done.error());
    }
    for (const auto& [key, value] : found.entries) {
        std::optional<std::string> shared;
        const auto record = decode_entry(value);
        if (record && record->shared) {
            if (auto body = rows_.get(column::messages, message_key(decode_entry_key(key)->message))) {
                shared = std::move(*body);
            }
        }
        found.messages.push_back(std::move(shared));
    }
    return found;
}

// A redelivery count follows its entry.
void committer::load_queue(loaded_rows& found, const backend::row_visitor& take) const {
    const auto& request = found.request;
    const auto done = rows_.scan(
        column::queue_entries, queue_prefix(request.of, *request.priority),
        queue_entry_key(request.of, *request.priority, request.from), [&](std::string_view key, std::string_view value) {
            const auto parts = decode_queue_entry_key(key);
            if (!parts || !parts->redelivery) {
                if (!take(key, value)) return false;
                found.redelivery_counts.push_back(0);
            } else if (!found.entries.empty() && key.starts_with(found.entries.back().first)) {
                found.redelivery_counts.back() = decode_redelivery_count(value).value_or(0);
            }
            return true;
        });
    if (!done) {
        found.more = true;
        if (unreadable_) unreadable_(done.error());
    }
}

store_trouble committer::trouble() const {
    const std::lock_guard lock{metrics_mutex_};
    return trouble_;
}

commit_metrics committer::metrics() const {
    const std::lock_guard lock{metrics_mutex_};
    return metrics_;
}

} // namespace broker::storage
