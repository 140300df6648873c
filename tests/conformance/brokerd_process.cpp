#include "conformance/brokerd_process.hpp"

#include "conformance/peer.hpp"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace broker::test {

namespace {

constexpr int attempts = 3; // a port that was free may be taken before the server binds it
constexpr std::chrono::seconds start_timeout{20};

std::uint16_t free_port() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    const bool bound = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0 &&
                       ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
    ::close(fd);
    if (!bound) throw std::runtime_error("no free port on the loopback interface");
    return ntohs(address.sin_port);
}

std::string binary() {
    const char* const chosen = std::getenv("BROKERD_BIN"); // a folder, as in tests/e2e
    return chosen != nullptr ? std::string{chosen} + "/brokerd" : BROKERD_PATH;
}

} // namespace

brokerd_process::brokerd_process(const std::vector<std::string_view>& schemes,
                                 const std::vector<std::string_view>& settings, unsigned threads) {
    std::string name = (std::filesystem::temp_directory_path() / "brokerd-conformance-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
    directory_ = name;
    for (int i = 0; i != attempts; ++i) {
        listeners_.clear();
        for (const auto scheme : schemes) listeners_.push_back({scheme, free_port()});
        start(settings, threads);
        const auto until = std::chrono::steady_clock::now() + start_timeout;
        while (running() && std::chrono::steady_clock::now() < until) {
            if (peer::answers(listeners_.back().port)) return;
            std::this_thread::sleep_for(std::chrono::milliseconds{2});
        }
        stop();
    }
    const auto said = log();
    std::filesystem::remove_all(directory_);
    throw std::runtime_error("brokerd did not start:\n" + said);
}

brokerd_process::~brokerd_process() {
    stop();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
}

void brokerd_process::start(const std::vector<std::string_view>& settings, unsigned threads) {
    std::vector<std::string> words{binary(), "--data-dir", directory_ + "/data", "--threads", std::to_string(threads)};
    for (const auto& l : listeners_) {
        words.emplace_back("--listen");
        words.push_back(std::string{l.scheme} + "://127.0.0.1:" + std::to_string(l.port));
    }
    std::vector<char*> argv;
    for (auto& w : words) argv.push_back(w.data());
    argv.push_back(nullptr);
    std::vector<std::string> variables{settings.begin(), settings.end()};
    variables.emplace_back("BROKERD__LOG__LEVEL=warn");
    std::vector<char*> environment;
    for (auto& v : variables) environment.push_back(v.data());
    for (char** e = environ; *e != nullptr; ++e) environment.push_back(*e);
    environment.push_back(nullptr);

    const auto log_file = directory_ + "/log";
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error("cannot start a process");
    if (pid_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL); // also when the test is killed
    const int to = ::open(log_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ::dup2(to, STDOUT_FILENO);
    ::dup2(to, STDERR_FILENO);
    ::execve(argv[0], argv.data(), environment.data());
    ::_exit(127);
}

void brokerd_process::stop() {
    if (!running()) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
}

bool brokerd_process::running() {
    if (pid_ < 0) return false;
    if (::waitpid(pid_, nullptr, WNOHANG) == 0) return true;
    pid_ = -1;
    return false;
}

std::uint16_t brokerd_process::port(std::string_view scheme) const {
    for (const auto& l : listeners_) {
        if (l.scheme == scheme) return l.port;
    }
    throw std::runtime_error("no listener " + std::string{scheme});
}

std::string brokerd_process::log() const {
    std::ostringstream text;
    text << std::ifstream{directory_ + "/log"}.rdbuf();
    return text.str();
}

} // namespace broker::test
