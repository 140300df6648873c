#include "net/jwks_fetcher.hpp"

#include "core/utf8.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace broker {

namespace {
constexpr auto alarm_name = "jwks_unavailable";
constexpr std::size_t said_max = 300; // of what others chose
}

jwks_fetcher::jwks_fetcher(std::shared_ptr<security::issuer_keys> keys, http_client from, alarms& raised, outside_counters& count,
                           std::function<time_point()> now)
    : keys_{std::move(keys)}, from_{std::move(from)}, alarms_{raised}, count_{count}, now_{std::move(now)},
      thread_{[this](const std::stop_token& ending) { run(ending); }} {}

jwks_fetcher::~jwks_fetcher() {
    thread_.request_stop();
    thread_.join();
    alarms_.clear(alarm_name);
}

void jwks_fetcher::run(const std::stop_token& ending) {
    while (keys_->wait_until_due(ending, now_)) {
        const auto done = fetch(ending);
        if (ending.stop_requested()) break;
        ++(done ? count_.jwks_fetched : count_.jwks_failed);
        if (done) on_good();
        else on_bad(done.error());
    }
    keys_->on_failed(now_());
}

result<void, std::string> jwks_fetcher::fetch(const std::stop_token& ending) {
    const auto came = from_.get(ending);
    if (came && came->status == 200) return keys_->on_fetched(came->body, now_());
    keys_->on_failed(now_());
    if (!came) return fail(came.error().what);
    const bool elsewhere = came->status >= 300 && came->status < 400;
    return fail(fmt::format("HTTP status {}{}", came->status, elsewhere ? "; redirects are not followed, write the URL where the keys are" : ""));
}

void jwks_fetcher::on_good() {
    const auto keys = keys_->keys(now_());
    std::string names;
    for (const auto& k : keys->keys) names += fmt::format("{}{}", names.empty() ? "" : ", ", k.id().empty() ? "(no id)" : k.id());
    if (told_ != state::good || names != names_) {
        spdlog::info("auth.jwt.jwks_url: {}: keys fetched: {}", keys_->url(), utf8_prefix(names, said_max));
        for (const auto& why : keys->left_out) spdlog::warn("auth.jwt.jwks_url: left out: {}", utf8_prefix(why, said_max));
    }
    names_ = std::move(names);
    told_ = state::good;
    alarms_.clear(alarm_name);
}

void jwks_fetcher::on_bad(const std::string& why) {
    const auto is = keys_->keys(now_()) ? state::stale : state::none;
    const auto text = fmt::format("auth.jwt.jwks_url: {}: {}; {}", keys_->url(), utf8_prefix(why, said_max),
                                  is == state::stale ? "the keys fetched last are used for a day at most"
                                                     : "without its keys tokens are refused, unless a key file has theirs");
    alarms_.raise(alarm_name, text, now_());
    if (told_ != is) spdlog::log(is == state::stale ? spdlog::level::warn : spdlog::level::err, "{}", text);
    told_ = is;
}

} // namespace broker
