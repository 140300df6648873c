#include "cli/bench/run.hpp"

#include "cli/bench/report.hpp"
#include "cli/bench/worker.hpp"
#include "cli/command.hpp"
#include "cli/output.hpp"

#include <boost/json/serialize.hpp>
#include <fmt/format.h>
#include <openssl/ssl.h>

#include <csignal>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <thread>

#include <sys/resource.h>
#include <unistd.h>

namespace broker::cli::bench {

namespace {

using namespace std::chrono_literals;

constexpr auto quiet = 2s; // nothing came for so long: nothing more comes
constexpr auto look_every = 10ms;

// SIGINT and SIGTERM wait to be asked for, in all threads that begin later too. A peer that goes is no signal.
class signals {
public:
    signals() {
        sigemptyset(&ours_);
        sigaddset(&ours_, SIGINT);
        sigaddset(&ours_, SIGTERM);
        (void)::pthread_sigmask(SIG_BLOCK, &ours_, &before_);
        (void)std::signal(SIGPIPE, SIG_IGN);
    }
    ~signals() { (void)::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    signals(const signals&) = delete;
    signals& operator=(const signals&) = delete;

    // Waits so long for one.
    [[nodiscard]] bool came_within(std::chrono::nanoseconds time) const {
        const timespec patience{.tv_sec = 0, .tv_nsec = time.count()};
        return ::sigtimedwait(&ours_, nullptr, &patience) > 0;
    }

private:
    sigset_t ours_{};
    sigset_t before_{};
};

void allow_descriptors(std::size_t needed) {
    rlimit may{};
    (void)::getrlimit(RLIMIT_NOFILE, &may);
    if (may.rlim_max < needed) {
        throw std::runtime_error{fmt::format("{} descriptors are needed and this shell may open {}: ulimit -n", needed, may.rlim_max)};
    }
    if (may.rlim_cur >= needed) return;
    may.rlim_cur = may.rlim_max;
    (void)::setrlimit(RLIMIT_NOFILE, &may);
}

using tls_context = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;

tls_context make_tls(const options& o) {
    tls_context made{o.to.tls ? tls_trusting(o.ca_file) : nullptr, &SSL_CTX_free};
    if (o.insecure) SSL_CTX_set_verify(made.get(), SSL_VERIFY_NONE, nullptr);
    return made;
}

// Sets the phases and watches what the workers do.
class conductor {
public:
    conductor(const options& o, const address& to) : with_{o}, stage_{o, to, steady::now()} {
        for (std::size_t i = 0; i != o.threads; ++i) workers_.push_back(std::make_unique<worker>(stage_, i));
        for (auto& w : workers_) threads_.emplace_back([&w] { w->run(); });
    }

    report conduct() {
        report r;
        go_on([this](const totals& t) { return t.opened + t.failed < with_.connections() && (with_.what == verb::conn || t.failed == 0); });
        const auto started = steady::now();
        r.opening = started - stage_.began;
        const auto opened = so_far();
        const bool works = opened.opened == with_.connections() || (with_.what == verb::conn && opened.opened != 0);
        if (works && !interrupted_) {
            stage_.running_since = started;
            stage_.now = phase::running;
            go_on([&](const totals& t) { return steady::now() - started < with_.duration && t.ended < opened.opened; });
            r.running = steady::now() - started;
            r.in_time = so_far();
            stage_.now = phase::draining;
            drain();
        }
        r.interrupted = interrupted_;
        stage_.now = phase::leaving;
        for (auto& t : threads_) t.join();
        say("");
        r.all = so_far();
        gather(r.found);
        return r;
    }

private:
    [[nodiscard]] totals so_far() const {
        totals t;
        for (const auto& w : workers_) {
            const auto& p = w->so_far();
            t.opened += p.opened;
            t.failed += p.failed;
            t.ended += p.ended;
            t.sent += p.sent;
            t.delivered += p.delivered;
            t.acknowledged += p.acknowledged;
            t.unconfirmed += p.unconfirmed;
        }
        return t;
    }

    // While `goes_on` says so and nobody interrupts.
    template <class GoesOn>
    void go_on(const GoesOn& goes_on) {
        auto next_line = steady::now() + 500ms;
        auto before = so_far();
        while (goes_on(so_far())) {
            if (signals_.came_within(look_every)) {
                interrupted_ = true;
                return;
            }
            if (steady::now() < next_line) continue;
            next_line += 500ms;
            const auto t = so_far();
            say(fmt::format("{} of {} connected; {} published, {} delivered, {} acknowledged per s", t.opened - t.ended, with_.connections(),
                            2 * (t.sent - before.sent), 2 * (t.delivered - before.delivered), 2 * (t.acknowledged - before.acknowledged)));
            before = t;
        }
    }

    // Until all that is under way has come, or nothing comes any more.
    void drain() {
        auto before = so_far();
        auto moved = steady::now();
        go_on([&](const totals& t) {
            if (t.delivered != before.delivered || t.acknowledged != before.acknowledged || t.unconfirmed != before.unconfirmed) moved = steady::now();
            before = t;
            const bool waits = t.delivered < t.sent * with_.receivers() || (with_.qos != 0 && t.acknowledged < t.sent) || t.unconfirmed != 0;
            return waits && t.ended < t.opened && steady::now() - moved < quiet;
        });
    }

    void gather(figures& into) const {
        std::vector<std::uint64_t> sent_by(with_.publishing);
        for (const auto& w : workers_) w->add_sent(sent_by);
        for (const auto& w : workers_) {
            w->count_lost(sent_by);
            const auto& f = w->result();
            into.connect.add(f.connect);
            into.delivery.add(f.delivery);
            into.acknowledgement.add(f.acknowledgement);
            into.lost += f.lost;
            into.refused += f.refused;
            into.foreign += f.foreign;
            into.behind += f.behind;
            into.stalls += f.stalls;
            into.wrong.duplicates += f.wrong.duplicates;
            into.wrong.out_of_order += f.wrong.out_of_order;
            if (!into.first_trouble.empty()) continue;
            into.first_trouble = f.first_trouble;
            into.first_status = f.first_status;
        }
    }

    // One line that is written over, for who watches.
    void say(const std::string& line) const {
        if (!on_terminal_) return;
        fmt::print(stderr, "\r\x1b[K{}", line);
        std::fflush(stderr);
    }

    const options& with_;
    signals signals_;
    stage stage_;
    std::vector<std::unique_ptr<worker>> workers_;
    std::vector<std::jthread> threads_;
    bool interrupted_ = false;
    bool on_terminal_ = ::isatty(STDERR_FILENO) != 0;
};

int status_of(const options& o, const report& r) {
    const bool unanswered = o.qos != 0 && r.all.acknowledged < r.all.sent;
    const bool trouble = r.found.lost != 0 || r.found.refused != 0 || r.all.ended != 0 || r.all.failed != 0 || unanswered;
    return trouble ? check_failed : 0;
}

} // namespace

int run(const options& o) {
    allow_descriptors(o.connections() + 64);
    auto to = resolve(o.to.host, o.to.port);
    const auto tls = make_tls(o);
    to.tls = tls.get();
    const auto r = conductor{o, to}.conduct();
    if (r.all.failed != 0 && r.running == r.running.zero()) {
        return say(r.found.first_status, fmt::format("{}: could not connect: {}", o.url, printable(r.found.first_trouble)));
    }
    if (o.as_json) fmt::print("{}\n", boost::json::serialize(document(o, r)));
    else fmt::print("{}", text(o, r));
    return status_of(o, r);
}

} // namespace broker::cli::bench
