#include "storage/committer.hpp"

#include "storage/keys.hpp"
#include "storage/records.hpp"
#include "storage/transients.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace broker::storage {

namespace {

constexpr std::size_t group_bytes_max = 4 * 1024 * 1024;
constexpr std::size_t group_batches_max = 4096;

// What has just come is left to its receivers' answers when so many rows may gain by it, and of late so many did.
constexpr std::size_t worthwhile_rows = 32;
constexpr double worthwhile_share = 0.25;
constexpr double answers_patience = 3; // times what an answer takes on average
constexpr std::chrono::microseconds patience_min{200};
constexpr std::chrono::microseconds patience_max{1000};

histogram make_histogram(std::vector<double> bounds) {
    histogram h{.bounds = std::move(bounds)};
    h.counts.resize(h.bounds.size() + 1);
    return h;
}

void follow(double& average, double value) { average += (value - average) / 8; }

double mebibytes(std::uint64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

} // namespace

std::uint64_t room_to_go_on(std::uint64_t wanted, std::uint64_t total) { return std::min(wanted, total / 10); }

std::uint64_t room_to_end_trouble(std::uint64_t wanted, std::uint64_t total) {
    const auto least = room_to_go_on(wanted, total);
    return least + least / 4;
}

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
    const auto now = std::chrono::steady_clock::now();
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
                            .loads = std::move(loads),
                            .at = now});
    }
    if (first && wake_) wake_();
    return number;
}

bool committer::idle() const {
    const std::lock_guard lock{mutex_};
    return pending_.empty() && waiting_.empty();
}

void committer::take_in() {
    auto known = waiting_.size();
    {
        const std::lock_guard lock{mutex_};
        while (!pending_.empty()) {
            waiting_.push_back(std::move(pending_.front()));
            pending_.pop_front();
        }
    }
    for (; known != waiting_.size(); ++known) {
        auto& s = waiting_[known];
        const auto found = transients_.add(s.operations, s.at);
        if (found.count == 0) continue;
        answered_ += found.count;
        follow(answered_after_s_, std::chrono::duration<double>(found.after).count() / static_cast<double>(found.count));
    }
}

committer::plan committer::next(std::chrono::steady_clock::time_point now) {
    take_in();
    if (waiting_.empty()) {
        if (low_ && !failed()) look_at_room();
        return {};
    }
    const plan everything{.take = waiting_.size()};
    const bool worth_it = answered_share_ >= worthwhile_share && transients_.unanswered() >= worthwhile_rows;
    if (!worth_it || failed() || pending_bytes() >= group_bytes_max) return everything;
    const auto usual = std::chrono::microseconds{static_cast<std::int64_t>(answered_after_s_ * answers_patience * 1e6)};
    const auto patience = std::clamp(usual, patience_min, patience_max);
    plan p;
    while (p.take != waiting_.size() && waiting_[p.take].at + patience <= now) ++p.take;
    if (p.take == 0) p.wait = std::chrono::ceil<std::chrono::microseconds>(waiting_.front().at + patience - now);
    return p;
}

// Fixed from here on: it is written again as it is when writing fails.
void committer::close_group(std::size_t most) {
    std::size_t bytes = 0;
    std::vector<batch*> batches;
    while (group_ < std::min(waiting_.size(), most) && group_ < group_batches_max && bytes < group_bytes_max) {
        auto& s = waiting_[group_++];
        bytes += s.operations.bytes();
        batches.push_back(&s.operations);
    }
    const auto left = transients_.close(batches);
    const auto answered = std::exchange(answered_, 0);
    if (answered + left != 0) follow(answered_share_, static_cast<double>(answered) / static_cast<double>(answered + left));
}

bool committer::run_once(std::size_t most) {
    if (!failed()) look_at_room();
    take_in();
    if (group_ == 0) close_group(most);
    if (group_ == 0) return false;

    const auto start = std::chrono::steady_clock::now();
    std::vector<const batch*> batches;
    std::size_t operations = 0;
    std::size_t bytes = 0;
    auto asked = durability::none;
    for (std::size_t n = 0; n != group_; ++n) {
        const auto& s = waiting_[n];
        bytes += s.operations.bytes();
        operations += s.operations.operations();
        asked = std::max(asked, s.operations.required());
        if (!s.operations.nothing_left()) batches.push_back(&s.operations);
    }
    const bool sync = std::min(asked, level_) == durability::sync;
    if (!batches.empty() || failed()) { // what only reads waits for the store as well
        if (failed()) rows_.recover();
        if (auto written = rows_.write(batches, sync); !written) {
            failed_ = true;
            change_trouble({.failed = true, .full = written.error().why == storage_error::kind::no_space, .what = written.error().what});
            return false;
        }
        if (failed_.exchange(false)) {
            const auto left = want_of_room(trouble().full);
            low_ = left.full;
            change_trouble(left);
        }
    }
    const auto wrote_in = seconds_since(start);

    std::vector<completion> news(told_.size());
    std::vector<bool> touched(told_.size());
    for (std::size_t n = 0; n != group_; ++n) {
        const auto& s = waiting_[n];
        const auto i = s.from.value();
        durable_[i] = s.number;
        touched[i] = true;
        for (const auto& request : s.loads) news[i].loaded.push_back(load(request));
    }
    pending_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(std::exchange(group_, 0)));
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

store_trouble committer::want_of_room(bool already) const {
    const auto room = room_wanted_ == 0 ? std::nullopt : rows_.room_left();
    if (!room) return {};
    const auto wanted = room_to_go_on(room_wanted_, room->total);
    const auto enough = room_to_end_trouble(room_wanted_, room->total);
    if (room->free >= (already ? enough : wanted)) return {};
    return {.full = true,
            .what = fmt::format("where the data directory is {:.1f} of {} MiB are free, {:.1f} must stay so (limits.disk_free) and {:.1f} "
                                "end this", mebibytes(room->free), room->total >> 20, mebibytes(wanted), mebibytes(enough))};
}

void committer::look_at_room() {
    const auto now = want_of_room(low_);
    if (now.full == low_) return;
    low_ = now.full;
    change_trouble(now);
}

void committer::change_trouble(const store_trouble& now) {
    const auto before = trouble();
    {
        const std::lock_guard lock{metrics_mutex_};
        trouble_ = now;
    }
    if (now.failed == before.failed && now.full == before.full) return; // only the words are others
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
