#include "cli/durability/check.hpp"

#include "cli/durability/connection.hpp"
#include "cli/durability/disk_image.hpp"
#include "cli/durability/workload.hpp"
#include "cli/output.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <random>
#include <stdexcept>
#include <thread>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace broker::cli::durability {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr auto start_most = 60s;
constexpr auto load_least = 100ms; // under load before it is killed
constexpr auto load_most = 2'000ms;

struct fsync_times { // microseconds
    double median = 0;
    double worst_of_100 = 0;
};

fsync_times measure_fsync(const std::filesystem::path& in) {
    const auto path = in / "fsync";
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) throw std::runtime_error(fmt::format("{}: cannot be written", path.string()));
    const std::array<char, 4096> page{};
    std::vector<double> took;
    for (int i = 0; i != 200; ++i) {
        const auto began = clock::now();
        if (::write(fd, page.data(), page.size()) < 0 || ::fdatasync(fd) != 0) break;
        took.push_back(std::chrono::duration<double, std::micro>(clock::now() - began).count());
    }
    ::close(fd);
    std::filesystem::remove(path);
    if (took.size() != 200) throw std::runtime_error(fmt::format("{}: fdatasync fails", path.string()));
    std::ranges::sort(took);
    return {.median = took[100], .worst_of_100 = took[198]};
}

std::uint16_t free_port() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0) (void)::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    ::close(fd);
    return ntohs(address.sin_port);
}

// Where the check works; removed when it is over.
class workplace {
public:
    explicit workplace(const std::string& in) {
        auto name = (std::filesystem::path{in} / "brokerd-verify-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error(fmt::format("{}: no directory can be made there", in));
        path_ = name;
    }
    ~workplace() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    workplace(const workplace&) = delete;
    workplace& operator=(const workplace&) = delete;
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

class victim {
public:
    // `disk`: on which its data is and power cuts are played; null: it is killed.
    victim(const check_options& with, const std::filesystem::path& in, disk_image* disk)
        : with_{with}, in_{in}, disk_{disk}, at_{.mqtt = free_port(), .stomp = free_port()} {}
    ~victim() { kill(); }
    victim(const victim&) = delete;
    victim& operator=(const victim&) = delete;

    [[nodiscard]] const ports& at() const { return at_; }

    // How long it took until it accepted connections.
    std::chrono::milliseconds start() {
        const auto began = clock::now();
        const auto data = ((disk_ == nullptr ? in_ : disk_->root()) / "data").string();
        const auto socket = (in_ / "admin.sock").string();
        std::vector<std::string> words{with_.brokerd, "--data-dir", data, "--durability", with_.mode, "--admin-socket", socket,
                                       "--listen", fmt::format("mqtt://127.0.0.1:{}", at_.mqtt),
                                       "--listen", fmt::format("stomp://127.0.0.1:{}", at_.stomp)};
        std::vector<char*> argv;
        for (auto& w : words) argv.push_back(w.data());
        argv.push_back(nullptr);
        const auto log = (in_ / "log").string();
        pid_ = ::fork();
        if (pid_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            // What is away for a cycle must not run into a limit: then the oldest would be dropped, as configured.
            for (const auto* const limit : {"SESSION__QUEUE_MESSAGES", "QUEUE__MESSAGES"}) {
                ::setenv((std::string{"BROKERD__LIMITS__"} + limit).c_str(), "1000000000", 1);
            }
            for (const auto* const limit : {"SESSION__QUEUE_BYTES", "QUEUE__BYTES"}) {
                ::setenv((std::string{"BROKERD__LIMITS__"} + limit).c_str(), "1024GiB", 1);
            }
            const int to = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
            ::dup2(to, STDOUT_FILENO);
            ::dup2(to, STDERR_FILENO);
            ::execvp(argv[0], argv.data());
            ::_exit(127);
        }
        while (clock::now() - began < start_most) {
            if (::waitpid(pid_, nullptr, WNOHANG) != 0) {
                pid_ = -1;
                throw std::runtime_error(fmt::format("{} does not start; it said:\n{}", with_.brokerd, last_words()));
            }
            if (connection{at_.stomp}.alive()) return std::chrono::duration_cast<std::chrono::milliseconds>(clock::now() - began);
            std::this_thread::sleep_for(2ms);
        }
        throw std::runtime_error(fmt::format("{} accepts no connections after {} s", with_.brokerd, start_most.count()));
    }

    // Its end under load.
    void die() {
        if (disk_ != nullptr) disk_->remember(pid_);
        kill();
        if (disk_ != nullptr) disk_->go_back();
    }

    void kill() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        pid_ = -1;
    }

private:
    [[nodiscard]] std::string last_words() const {
        std::ifstream in{in_ / "log"};
        std::string all{std::istreambuf_iterator<char>{in}, {}};
        return all.size() > 2000 ? all.substr(all.size() - 2000) : all;
    }

    const check_options& with_;
    std::filesystem::path in_;
    disk_image* disk_;
    ports at_;
    pid_t pid_ = -1;
};

// One life under load, and its end.
void live_and_die(victim& broker, std::vector<std::unique_ptr<workload>>& all, std::chrono::milliseconds after) {
    std::atomic<bool> stop{false};
    std::vector<std::jthread> threads;
    struct ending { // also when its death cannot be played: nobody waits for a broker that stands still
        victim& broker;
        std::atomic<bool>& stop;
        ~ending() {
            broker.kill();
            stop = true;
        }
    } const ended{broker, stop};
    for (auto& w : all) {
        threads.emplace_back([&] { w->publish(broker.at(), stop); });
        threads.emplace_back([&] { w->receive(broker.at(), stop); });
    }
    std::this_thread::sleep_for(after);
    broker.die();
}

boost::json::object row(const verdict& v) {
    return {{"promise", v.promise},   {"acknowledged", v.acknowledged},     {"lost", v.lost},
            {"doubled", v.doubled},   {"out_of_order", v.out_of_order}, {"trouble", v.trouble.empty() ? boost::json::value{} : boost::json::value(v.trouble)}};
}

int report(const check_options& with, const fsync_times& disk, const std::vector<std::unique_ptr<workload>>& all) {
    boost::json::array rows;
    bool kept = true;
    std::uint64_t acknowledged = 0;
    for (const auto& w : all) {
        const auto v = w->judge();
        kept &= v.kept();
        acknowledged += v.acknowledged;
        rows.push_back(row(v));
    }
    if (with.as_json) {
        const boost::json::object result{{"kept", kept}, {"cycles", with.cycles}, {"durability", with.mode}, {"seed", with.seed}, {"power_cuts", with.power_cuts},
                                         {"fdatasync_us", {{"median", disk.median}, {"p99", disk.worst_of_100}}}, {"promises", rows}};
        fmt::print("{}\n", boost::json::serialize(result));
    } else {
        fmt::print("{}\n", table_of(rows, {"promise", "acknowledged", "lost", "doubled", "out_of_order", "trouble"}, true));
        fmt::print("fdatasync of 4 KiB here: median {:.0f} us, 99 % within {:.0f} us\n", disk.median, disk.worst_of_100);
        fmt::print("{}: {} promises in {} {}, durability {}{}\n", kept ? "KEPT" : "BROKEN", acknowledged, with.cycles,
                   with.power_cuts ? "power cuts" : "kills", with.mode, kept ? "" : fmt::format(", seed {}", with.seed));
        fmt::print("{}. That the drive keeps what it confirmed, only cutting its power shows.\n",
                   with.power_cuts ? "Played power cuts show that what was acknowledged had left the machine's memory"
                                   : "A kill shows what the process does, and not what a power cut does (--power-cuts)");
    }
    return kept ? 0 : 2;
}

} // namespace

int check(check_options with) {
    if (with.seed == 0) with.seed = std::random_device{}();
    std::mt19937_64 dice{with.seed};
    const workplace here{with.directory};
    std::optional<disk_image> image;
    if (with.power_cuts) image.emplace(here.path());
    const auto disk = measure_fsync(here.path());
    auto all = all_workloads();
    victim broker{with, here.path(), image ? &*image : nullptr};
    (void)broker.start();
    for (auto& w : all) {
        if (!w->prepare(broker.at())) throw std::runtime_error("the broker does not answer as a broker should");
    }
    for (std::size_t i = 0; i != with.cycles; ++i) {
        const auto after = std::chrono::milliseconds{std::uniform_int_distribution<std::int64_t>{load_least.count(), load_most.count()}(dice)};
        live_and_die(broker, all, after);
        const auto back = broker.start();
        fmt::print(stderr, "cycle {}: {} after {} ms under load, ready again in {} ms\n", i + 1,
                   with.power_cuts ? "power cut" : "killed", after.count(), back.count());
    }
    fmt::print(stderr, "reading what is owed\n");
    {
        std::vector<std::jthread> threads;
        for (auto& w : all) threads.emplace_back([&] { w->drain(broker.at()); });
    }
    return report(with, disk, all);
}

} // namespace broker::cli::durability
