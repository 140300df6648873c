#include "shard/shard.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include <sys/epoll.h>

namespace broker {

namespace {

constexpr std::size_t read_buffer_size = 256 * 1024;
constexpr std::size_t connections_per_turn = 256; // these two bound the latency of a turn under load, and what one batch holds
constexpr std::uint64_t received_per_turn = 1024 * 1024; // bytes
constexpr std::size_t handlers_per_turn = 16; // of Asio: listeners, mail, timers
constexpr std::size_t events_at_once = 256;
constexpr seconds trim_every{1};
constexpr auto congestion_check = std::chrono::milliseconds{1};

int new_epoll() {
    const int fd = ::epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0) throw std::system_error{errno, std::system_category(), "epoll_create1"};
    return fd;
}

} // namespace

process_clock::process_clock()
    : steady_start_{std::chrono::steady_clock::now()},
      start_{std::chrono::duration_cast<nanoseconds>(std::chrono::system_clock::now().time_since_epoch())} {}

time_point process_clock::now() const {
    return start_ + std::chrono::duration_cast<nanoseconds>(std::chrono::steady_clock::now() - steady_start_);
}

shard::shard(shard_index self, commons& shared, const process_clock& clock)
    : clock_{clock}, now_{clock.now()}, read_buffer_(read_buffer_size),
      inbox_{[this] { boost::asio::post(io_, [this] { take_mail(); }); }}, core_{self, shared},
      work_{boost::asio::make_work_guard(io_)}, sockets_{io_, new_epoll()}, timer_{io_} {}

shard::~shard() {
    stop();
    join();
}

void shard::start(std::vector<shard*> others) {
    others_ = std::move(others);
    thread_ = std::thread{[this] { run(); }};
}

void shard::stop() {
    boost::asio::post(io_, [this] { stopping_ = true; });
}

void shard::join() {
    if (thread_.joinable()) thread_.join();
}

void shard::run() {
    bool busy = false; // whoever is, looks before he waits
    while (!stopping_) {
        arm_timer();
        if (busy) take_events();
        std::size_t handlers = 0;
        if (ready_.empty()) {
            await_events();
            handlers = io_.run_one();
        }
        while (handlers < handlers_per_turn && io_.poll_one() != 0) ++handlers;
        const auto until = received() + received_per_turn;
        const auto most = std::min(ready_.size(), connections_per_turn); // who becomes ready meanwhile has the next turn
        while (served_ < most && received() < until && !core_.desk().full()) serve();
        busy = served_ > 1;
        ready_.erase(ready_.begin(), ready_.begin() + static_cast<std::ptrdiff_t>(std::exchange(served_, std::size_t{0})));
        turn();
    }
    ready_.clear();
    connections_.clear();
    removed_.clear();
}

// --- sockets ---

bool shard::watch(shard_connection& c, int socket) {
    epoll_event wanted{};
    wanted.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    wanted.data.ptr = &c;
    return ::epoll_ctl(sockets_.native_handle(), EPOLL_CTL_ADD, socket, &wanted) == 0;
}

void shard::await_events() {
    if (awaiting_) return;
    awaiting_ = true;
    sockets_.async_wait(decltype(sockets_)::wait_read, [this](boost::system::error_code ec) {
        awaiting_ = false;
        if (!ec) take_events();
    });
}

// Whoever is removed meanwhile stays until the end of the turn, and its socket, being closed, has no events any more.
void shard::take_events() {
    std::array<epoll_event, events_at_once> events;
    const int count = ::epoll_wait(sockets_.native_handle(), events.data(), static_cast<int>(events.size()), 0);
    for (int i = 0; i < count; ++i) {
        const auto what = events[static_cast<std::size_t>(i)].events;
        const bool ended = (what & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
        static_cast<shard_connection*>(events[static_cast<std::size_t>(i)].data.ptr)
            ->on_events({.readable = ended || (what & EPOLLIN) != 0, .writable = ended || (what & EPOLLOUT) != 0, .ended = ended});
    }
}

void shard::make_ready(shard_connection& c) {
    if (std::exchange(c.ready_, true)) return;
    ready_.push_back(&c);
}

void shard::serve() {
    auto* const c = ready_[served_++];
    if (c == nullptr) return;
    c->ready_ = false;
    refresh_now();
    c->on_ready(now_);
}

void shard::turn() {
    refresh_now();
    fire_deadlines();
    core_.end_turn(now_, [this](std::size_t to, std::vector<mail>& batch) { others_[to]->inbox().post(batch); });
    if (durable_news_) {
        durable_news_ = false;
        const auto upto = core_.desk().durable_upto();
        auto calls = std::exchange(when_durable_, {});
        for (auto& [at, then] : calls) when_durable(at, std::move(then));
        auto waiting = std::exchange(waiting_for_ticket_, {});
        for (const auto id : waiting) {
            auto* const c = find(id);
            if (c != nullptr && c->engine() != nullptr) c->on_durable(upto, now_);
        }
    }
    // Writing may let engines go on (on_writable), which makes them dirty again: until nobody is, but without starving
    // the sockets.
    for (int rounds = 0; !dirty_.empty() && rounds != 4; ++rounds) {
        flushing_.swap(dirty_);
        for (auto* const c : flushing_) c->end_of_turn(now_);
        flushing_.clear();
        core_.end_turn(now_, [this](std::size_t to, std::vector<mail>& batch) { others_[to]->inbox().post(batch); });
    }
    if (!dirty_.empty()) boost::asio::post(io_, [] {}); // another turn at once
    removed_.clear();
    check_congestion();
}

void shard::take_mail() {
    refresh_now();
    inbox_.take(mail_);
    for (auto& m : mail_) durable_news_ |= core_.receive(std::move(m), now_);
    mail_.clear();
}

void shard::fire_deadlines() {
    if (core_.next_deadline() <= now_) core_.on_deadline(now_);
    for (auto id = deadlines_.take_due(now_); id != connection_id{}; id = deadlines_.take_due(now_)) {
        if (auto* const c = find(id)) c->on_deadline(now_);
    }
    if (trim_at_ <= now_) {
        blocks_.trim();
        trim_at_ = never;
    }
    if (trim_at_ == never && blocks_.spare() != 0) trim_at_ = now_ + trim_every;
}

void shard::arm_timer() {
    const auto at = std::min({core_.next_deadline(), deadlines_.next(), trim_at_});
    if (at == timer_at_) return;
    timer_at_ = at;
    if (at == never) {
        timer_.cancel();
        return;
    }
    timer_.expires_after(std::max(at - clock_.now(), nanoseconds{0}));
    timer_.async_wait([this](boost::system::error_code ec) {
        if (!ec) timer_at_ = never; // fire_deadlines() runs in this turn
    });
}

void shard::check_congestion() {
    const auto& bounds = core_.shared().bounds;
    const auto pending = core_.desk().store_pending_bytes();
    auto now = pending > bounds.store_pending_bytes_max ? congestion::store : congestion::none;
    if (pending / 2 > bounds.store_pending_bytes_max) now = congestion::all;
    for (auto* const other : others_) {
        if (other->inbox().size() > bounds.mailbox_items_max) now = congestion::all;
    }
    const bool less = now < congested_;
    congested_ = now;
    if (stalled_.empty()) return;
    if (less || congested_ == congestion::none) {
        const auto stalled = std::exchange(stalled_, {});
        for (const auto id : stalled) {
            if (auto* const c = find(id)) c->on_uncongested();
        }
        boost::asio::post(io_, [] {}); // what they left to do is another turn's, which comes at once
    }
    if (stalled_.empty()) return;
    auto again = std::make_shared<boost::asio::steady_timer>(io_, congestion_check);
    again->async_wait([again](boost::system::error_code) {}); // the turn after it checks
}

void shard::when_durable(ticket at, std::function<void()> then) {
    if (at <= core_.desk().durable_upto()) return then();
    when_durable_.emplace_back(at, std::move(then));
}

void shard::add(std::shared_ptr<shard_connection> c) { connections_.emplace(c->id(), std::move(c)); }

void shard::remove(shard_connection& c) {
    const auto it = connections_.find(c.id());
    if (it == connections_.end()) return;
    std::erase(dirty_, &c);
    if (c.ready_) std::ranges::replace(ready_, &c, nullptr);
    removed_.push_back(std::move(it->second));
    connections_.erase(it);
}

void shard::for_each_connection(const visitor& visit) {
    std::vector<std::shared_ptr<shard_connection>> all; // visiting may remove
    all.reserve(connections_.size());
    for (const auto& [id, c] : connections_) all.push_back(c);
    for (const auto& c : all) visit(*c);
}

shard_connection* shard::find(connection_id id) {
    const auto it = connections_.find(id);
    return it == connections_.end() ? nullptr : it->second.get();
}

} // namespace broker
