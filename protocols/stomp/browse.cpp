// SUBSCRIBE with browser:true on a queue: copies of what it holds now, then a MESSAGE with browser:end. Nothing is consumed.
#include "protocols/stomp/engine.hpp"

#include "protocols/stomp/header_escape.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace broker::stomp {

void engine::on_browse(const frame& f, std::string_view id, time_point now) {
    const auto destination = f.get("destination");
    const auto topic = names_.topic_of(destination, topic_);
    const auto queue = topic ? queue_name(*topic) : std::nullopt;
    if (!queue) {
        return fail("protocol_error", topic ? "browser:true is for queues" : topic.error(), f.get("receipt"));
    }
    if (may_.subscribe(fmt::format("{}{}", queue_prefix, *queue)) != security::coverage::all) {
        return fail("forbidden", "this queue may not be looked at", f.get("receipt"));
    }
    const bool named = f.find("id").has_value();
    auto& b = *browsers_.emplace_back(std::make_unique<browsing>(*this, std::string{id}, head_of(id, named, ++last_number_)));
    b.destination_ = names_.destination_of(*topic);
    receipt(f, ticket{});
    b.cursor_ = with_.route.browse(*queue, b);
    if (b.cursor_ == 0) on_page(b, {}, true, now); // no such queue: it holds nothing
}

void browsing::on_page(std::span<const browsed> page, bool end, time_point now) { owner_.on_page(*this, page, end, now); }

void engine::on_page(browsing& b, std::span<const browsed> page, bool end, time_point now) {
    if (closing_) return;
    std::string own;
    for (const auto& one : page) {
        own = fmt::format("0-{}\n", one.message->id().value());
        if (one.redelivery_count != 0) own += fmt::format("redelivered:true\nredelivery-count:{}\n", one.redelivery_count);
        append_message(b.head_, own, one.message, now);
    }
    if (!end) {
        b.wants_page_ = with_.out.over_limit();
        if (!b.wants_page_) with_.route.next_page(b.cursor_);
        return;
    }
    scratch_ = b.head_ + "0-0\n";
    (void)append_header(scratch_, "destination", b.destination_, version_);
    scratch_ += "browser:end\ncontent-length:0\n\n";
    scratch_.push_back('\0');
    send(scratch_, frame_kind::text, now);
    std::erase_if(browsers_, [&](const auto& known) { return known.get() == &b; }); // its id is free again
}

void engine::stop(browsing& b) {
    if (b.cursor_ != 0) with_.route.stop_browsing(b.cursor_);
    std::erase_if(browsers_, [&](const auto& known) { return known.get() == &b; });
}

} // namespace broker::stomp
