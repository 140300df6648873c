#include "cli/bench/worker.hpp"

#include "cli/bench/stamp.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace broker::cli::bench {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t buffer_bytes = 256 * 1024;
constexpr std::uint32_t bell_tag = 0xFFFF'FFFF;
constexpr steady::duration nap_max = 50ms; // the phase is looked at so often

// One thread writes, others read.
void add(std::atomic<std::uint64_t>& counter, std::uint64_t n = 1) {
    counter.store(counter.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
}

} // namespace

worker::worker(stage& s, std::size_t index)
    : stage_{s}, with_{s.with}, index_{index}, epoll_{::epoll_create1(EPOLL_CLOEXEC)}, ring_(s.with.threads), buffer_(buffer_bytes) {
    const int bell = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    s.bells.push_back(bell);
    epoll_event wanted{.events = EPOLLIN, .data = {.u64 = bell_tag}};
    (void)::epoll_ctl(epoll_, EPOLL_CTL_ADD, bell, &wanted);
    payload_.resize(with_.payload_bytes);
    for (std::size_t i = 0; i != payload_.size(); ++i) payload_[i] = static_cast<char>('a' + i % 26);
    plan();
}

worker::~worker() {
    parties_.clear();
    ::close(stage_.bells[index_]);
    ::close(epoll_);
}

// Subscribers first: who publishes has nobody to wait for.
void worker::plan() {
    for (auto n = index_; n < with_.subscribing; n += with_.threads) {
        auto& p = parties_.emplace_back();
        p.number = n;
        p.has.emplace(with_.what == verb::conn ? 0 : with_.what == verb::fanout ? with_.publishing : 1);
    }
    for (auto n = index_; n < with_.publishing; n += with_.threads) {
        auto& p = parties_.emplace_back();
        p.number = n;
        p.publishes = 0; // set when it connects
    }
    is_poked_.resize(parties_.size());
}

void worker::run() {
    next_second_ = steady::now() + 1s;
    for (;;) {
        const auto now = steady::now();
        if (const auto p = stage_.now.load(); p != phase_) {
            phase_ = p;
            if (p == phase::running) {
                for (std::size_t i = 0; i != publishers_.size(); ++i) poke(i);
            }
            if (p == phase::draining) begin_draining();
            if (p == phase::leaving) break;
        }
        if (phase_ == phase::opening) connect_more(now);
        if (phase_ == phase::running) {
            keep_schedule(now);
            publish_all();
        }
        if (now >= next_second_) once_a_second(now);
        flush_all();
        wait();
    }
    for (const auto& p : publishers_) figures_.behind += p.owed();
    for (auto& p : parties_) {
        if (p.connection) p.connection->leave();
    }
}

// Some at a time, or by the rate of conn.
void worker::connect_more(steady::time_point now) {
    const auto at_once = std::max<std::size_t>(1, (with_.what == verb::conn ? with_.window : 100) / with_.threads);
    const bool by_rate = with_.what == verb::conn && with_.rate > 0;
    for (; begun_ != parties_.size(); ++begun_) {
        while (!connecting_.empty() && (parties_[connecting_.front()].connection->is_open() || parties_[connecting_.front()].connection->has_ended())) {
            connecting_.pop_front();
        }
        if (by_rate ? due_of(begun_) > now : connecting_.size() >= at_once) return;
        auto& p = parties_[begun_];
        const auto own = fmt::format("{}/{}", with_.topic, p.number);
        const auto& topic = with_.what == verb::fanout ? with_.topic : own;
        assignment a{.tag = static_cast<std::uint32_t>(begun_), .client_id = fmt::format("bench-{:06x}-{}{}", with_.run, p.publishes ? 'p' : 's', p.number)};
        if (p.publishes) a.publishes_to = topic;
        else if (with_.subscribes) a.subscribes_to = topic;
        p.due = by_rate ? due_of(begun_) : now;
        p.connection = make_client(with_, stage_.to, *this, std::move(a));
        if (p.publishes) {
            p.publishes = publishers_.size();
            publishers_.emplace_back(*p.connection, static_cast<std::uint32_t>(p.number), stage_.received[p.number]);
        }
        connecting_.push_back(static_cast<std::uint32_t>(begun_));
        if (p.connection->fd() < 0) p.connection->on_ready(false, true, buffer_); // fails
        else watch(p);
    }
}

void worker::watch(party& p) {
    if (p.connection->has_ended()) return; // the socket is closed
    const std::uint32_t wanted = EPOLLIN | (p.connection->wants_to_write() ? std::uint32_t{EPOLLOUT} : 0U);
    if (wanted == p.watched) return;
    epoll_event e{.events = wanted, .data = {.u64 = p.connection->tag()}};
    (void)::epoll_ctl(epoll_, p.watched == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, p.connection->fd(), &e);
    p.watched = wanted;
}

void worker::wait() {
    auto until = steady::now() + nap_max;
    if (phase_ == phase::running && with_.rate > 0 && !publishers_.empty()) until = std::min(until, due_of(scheduled_));
    if (phase_ == phase::opening && with_.what == verb::conn && with_.rate > 0 && begun_ != parties_.size()) until = std::min(until, due_of(begun_));
    const auto nap = poked_.empty() && with_output_.empty() ? std::max<steady::duration>(until - steady::now(), 0ns) : 0ns;
    const timespec patience{.tv_sec = 0, .tv_nsec = nap.count()}; // below a second
    std::array<epoll_event, 256> events{};
    const int count = ::epoll_pwait2(epoll_, events.data(), events.size(), &patience, nullptr);
    for (int i = 0; i < count; ++i) {
        const auto& e = events[static_cast<std::size_t>(i)];
        if (e.data.u64 == bell_tag) {
            std::uint64_t rung = 0;
            (void)!::read(stage_.bells[index_], &rung, sizeof rung);
            for (std::size_t p = 0; p != publishers_.size(); ++p) poke(p);
            continue;
        }
        auto& p = parties_[e.data.u64];
        if (p.connection->has_ended()) continue;
        read_at_ = steady::now();
        p.connection->on_ready((e.events & ~std::uint32_t{EPOLLOUT}) != 0, (e.events & EPOLLOUT) != 0, buffer_);
        watch(p);
    }
    for (std::size_t w = 0; w != ring_.size(); ++w) {
        const std::uint64_t once = 1;
        if (ring_[w]) (void)!::write(stage_.bells[w], &once, sizeof once);
        ring_[w] = false;
    }
}

void worker::flush_all() {
    for (const auto tag : std::exchange(with_output_, {})) {
        auto& p = parties_[tag];
        if (p.connection->wants_to_write()) continue; // until the socket takes more
        p.connection->flush();
        watch(p);
    }
}

void worker::once_a_second(steady::time_point now) {
    next_second_ = now + 1s;
    while (!connecting_.empty()) {
        auto& p = parties_[connecting_.front()];
        const bool waits = !p.connection->is_open() && !p.connection->has_ended();
        if (waits && now - p.due < with_.patience) break; // the others began later
        if (waits) p.connection->give_up(fmt::format("no answer within {} ms; give it more with --timeout", with_.patience.count()));
        connecting_.pop_front();
    }
    for (auto& p : parties_) {
        if (p.connection) p.connection->keep_alive(now);
    }
    if (phase_ != phase::running) return;
    for (std::size_t i = 0; i != publishers_.size(); ++i) {
        if (!publishers_[i].give_up_stalled(with_)) continue;
        ++figures_.stalls;
        poke(i);
    }
}

// --- publishing ---

steady::time_point worker::due_of(std::uint64_t message) const {
    const auto mine = publishers_.empty() ? parties_.size() : publishers_.size();
    const auto all = publishers_.empty() ? with_.connections() : with_.publishing;
    const double rate = with_.rate * static_cast<double>(mine) / static_cast<double>(all);
    const auto since = phase_ == phase::opening ? stage_.began : stage_.running_since.load(std::memory_order_relaxed);
    return since + std::chrono::nanoseconds{static_cast<std::int64_t>(1e9 * static_cast<double>(message) / rate)};
}

void worker::poke(std::size_t publisher) {
    if (phase_ != phase::running || is_poked_[publisher]) return;
    is_poked_[publisher] = true;
    poked_.push_back(publisher);
}

// The messages of the schedule go round the publishers.
void worker::keep_schedule(steady::time_point now) {
    if (with_.rate == 0 || publishers_.empty()) return;
    for (; due_of(scheduled_) <= now; ++scheduled_) {
        const auto whose = scheduled_ % publishers_.size();
        publishers_[whose].owe_one();
        poke(whose);
    }
}

void worker::publish_all() {
    for (const auto i : std::exchange(poked_, {})) {
        is_poked_[i] = false;
        publish_from(publishers_[i]);
    }
}

void worker::publish_from(publisher& p) {
    const auto now = steady::now();
    const std::uint64_t before = p.sent();
    while (p.may_send(with_)) {
        const auto rank = static_cast<std::uint64_t>(&p - publishers_.data());
        const auto due = with_.rate > 0 ? due_of(p.sent() * publishers_.size() + rank) : now;
        write_stamp({.run = with_.run, .publisher = p.number(), .number = p.sent(),
                     .due_ns = static_cast<std::uint64_t>((due - stage_.began).count())}, payload_.data());
        p.on().publish(payload_, p.send(due, with_.qos != 0));
    }
    add(progress_.sent, p.sent() - before);
}

void worker::begin_draining() {
    poked_.clear();
    for (const auto& p : publishers_) {
        if (!p.on().is_open()) continue;
        parties_[p.on().tag()].owes_confirmation = true;
        add(progress_.unconfirmed);
        p.on().confirm();
    }
}

// --- what clients tell ---

void worker::opened(client& c) {
    add(progress_.opened);
    parties_[c.tag()].was_open = true;
    figures_.connect.add(steady::now() - parties_[c.tag()].due);
}

void worker::ended(client& c, int status, const std::string& why) {
    auto& p = parties_[c.tag()];
    add(p.was_open ? progress_.ended : progress_.failed);
    if (p.owes_confirmation) confirmed(c);
    if (!figures_.first_trouble.empty()) return;
    figures_.first_trouble = why;
    figures_.first_status = status;
}

void worker::delivered(client& c, std::string_view payload) {
    auto& p = parties_[c.tag()];
    const auto s = read_stamp(payload);
    const bool ours = s && s->run == with_.run && s->publisher < with_.publishing && (with_.what == verb::fanout || s->publisher == p.number);
    if (!ours) {
        ++figures_.foreign;
        return;
    }
    if (!p.has->add(with_.what == verb::fanout ? s->publisher : 0, s->number, figures_.wrong)) return;
    add(progress_.delivered);
    figures_.delivery.add(read_at_ - stage_.began - std::chrono::nanoseconds{static_cast<std::int64_t>(s->due_ns)});
    stage_.received[s->publisher].fetch_add(1, std::memory_order_relaxed);
    const auto owner = s->publisher % with_.threads;
    if (owner != index_) ring_[owner] = true;
    else poke(s->publisher / with_.threads);
}

void worker::acknowledged(client& c, std::uint16_t id, const std::string& refused) {
    const auto i = *parties_[c.tag()].publishes;
    const auto due = publishers_[i].acknowledged(id);
    if (due == publisher::nobody) return;
    add(progress_.acknowledged);
    figures_.acknowledgement.add(read_at_ - due);
    if (!refused.empty()) {
        ++figures_.refused;
        if (figures_.first_trouble.empty()) figures_.first_trouble = "a publication: " + refused;
    }
    poke(i);
}

void worker::confirmed(client& c) {
    parties_[c.tag()].owes_confirmation = false;
    progress_.unconfirmed.store(progress_.unconfirmed.load() - 1);
}

void worker::has_output(client& c) { with_output_.push_back(c.tag()); }

void worker::drained(client& c) {
    if (const auto i = parties_[c.tag()].publishes; i && phase_ == phase::running) poke(*i);
}

// --- the result ---

void worker::add_sent(std::vector<std::uint64_t>& sent_by) const {
    for (const auto& p : publishers_) sent_by[p.number()] = p.sent();
}

void worker::count_lost(const std::vector<std::uint64_t>& sent_by) {
    if (with_.what == verb::conn) return;
    for (const auto& p : parties_) {
        if (!p.has) continue;
        if (with_.what == verb::fanout) {
            for (std::size_t i = 0; i != sent_by.size(); ++i) figures_.lost += p.has->lost(i, sent_by[i]);
        } else {
            figures_.lost += p.has->lost(0, sent_by[p.number]);
        }
    }
}

} // namespace broker::cli::bench
