// admin_node: queues.
#include "admin_node.hpp"

#include "routing/queue_router.hpp"
#include "storage/keys.hpp"
#include "storage/records.hpp"

namespace broker {

using admin::admin_error;

namespace {

constexpr std::size_t peeked_bytes_max = 16 * 1024 * 1024;

std::string_view word(queue_table::origin by) {
    switch (by) {
    case queue_table::origin::use: return "";
    case queue_table::origin::administrator: return "administrator";
    case queue_table::origin::file: return "configuration";
    }
    return "";
}

admin_error no_queue(const std::string& name) { return {admin_error::kind::not_found, "no queue " + name}; }

// Collects pages until it has enough. Keeps itself until then: the admin thread may have stopped waiting.
class collector final : public browser {
public:
    collector(shard& on, std::size_t count_max) : on_{on}, count_max_{count_max} {}

    static void start(shard& on, const std::string& queue, std::size_t count_max,
                      const std::shared_ptr<std::promise<std::vector<admin::queue_message>>>& answer) {
        auto self = std::make_shared<collector>(on, count_max);
        self->answer_ = answer;
        self->cursor_ = on.core().route().browse(queue, *self);
        if (self->cursor_ == 0) return answer->set_value({});
        self->self_ = self;
    }
    void on_page(std::span<const browsed> page, bool end, time_point) override {
        for (const auto& b : page) {
            if (found_.size() == count_max_ || bytes_ >= peeked_bytes_max) break;
            bytes_ += b.message->footprint();
            found_.push_back({.message = b.message, .redelivery_count = b.redelivery_count});
        }
        const bool enough = found_.size() >= count_max_ || bytes_ >= peeked_bytes_max;
        if (!end && !enough) return on_.core().route().next_page(cursor_);
        if (!end) on_.core().route().stop_browsing(cursor_);
        answer_->set_value(std::move(found_));
        self_.reset(); // the last act
    }

private:
    shard& on_;
    std::size_t count_max_;
    std::uint64_t cursor_ = 0;
    std::size_t bytes_ = 0;
    std::vector<admin::queue_message> found_;
    std::shared_ptr<std::promise<std::vector<admin::queue_message>>> answer_;
    std::shared_ptr<collector> self_;
};

} // namespace

result<std::vector<admin::queue_row>, admin_error> admin_node::list_queues() {
    const auto& table = shared_.queues;
    return gather<admin::queue_row>([&table](shard& on, std::vector<admin::queue_row>& out) {
        on.core().queues().for_each([&](const queue& q) {
            const auto& s = q.handle();
            const auto value = [](const auto& of) { return of.load(std::memory_order_relaxed); };
            out.push_back({.name = s.name,
                           .messages = q.messages(),
                           .unacknowledged = q.unacknowledged(),
                           .consumers = q.consumers(),
                           .bytes = q.bytes(),
                           .shard = on.core().desk().self(),
                           .declared_by = std::string{word(table.declared(s).by)},
                           .messages_max = static_cast<std::size_t>(value(s.messages_max)),
                           .bytes_max = static_cast<std::size_t>(value(s.bytes_max)),
                           .ttl = seconds{value(s.ttl_s)},
                           .policy = value(s.policy),
                           .dead_letter = table.dead_letter_of(s, false),
                           .max_deliveries = value(s.max_deliveries),
                           .priority = value(s.by_priority),
                           .arrived = q.arrived(),
                           .delivered = q.delivered(),
                           .redelivered = q.redelivered(),
                           .expired = value(s.expired),
                           .dropped = value(s.dropped),
                           .dead_lettered = value(s.dead_lettered),
                           .in_memory = q.in_memory()});
        });
    });
}

result<bool, admin_error> admin_node::declare_queue(const std::string& name, const queue_settings& settings) {
    for (const auto& text : {name, settings.dead_letter.value_or("")}) {
        if (!text.empty() && is_topic_name(std::string{queue_prefix} + text, shared_.bounds)) continue;
        if (text.empty() && &text != &name && !name.empty()) continue;
        return fail(admin_error{admin_error::kind::invalid, "not a queue's name: " + text});
    }
    auto wrong = std::make_shared<std::string>();
    const auto done = when_durable(owner_of(name), [this, name, settings, wrong](shard& on) {
        auto& desk = on.core().desk();
        auto* const q = desk.queues().find_or_create(name);
        if (q == nullptr) {
            *wrong = "limits.max_queues is reached";
            return ticket{};
        }
        if (auto why = shared_.queues.declare(*q, settings, queue_table::origin::administrator)) {
            *wrong = std::move(*why);
            return desk.open_ticket();
        }
        (void)on.core().queues().use(*q); // so that it is listed
        std::string value;
        storage::encode_queue_settings(settings, value);
        desk.open().put(storage::column::queues, storage::queue_settings_key(q->id), value);
        desk.require(true);
        return desk.open_ticket();
    });
    if (!done) return done;
    if (!wrong->empty()) return fail(admin_error{admin_error::kind::refused, name + ": " + *wrong});
    return true;
}

result<std::vector<admin::queue_message>, admin_error> admin_node::peek_queue(const std::string& name, std::size_t count_max) {
    if (shared_.queues.find(name) == nullptr) return fail(no_queue(name));
    auto answer = std::make_shared<std::promise<std::vector<admin::queue_message>>>();
    auto future = answer->get_future();
    auto* const on = shards_[next_shard_.fetch_add(1) % shards_.size()];
    on->inbox().post(errand{[on, name, count_max, answer] { collector::start(*on, name, count_max, answer); }});
    return wait_for(std::move(future));
}

result<admin::queue_removed, admin_error> admin_node::remove_from_queue(const std::string& name, std::size_t count_max,
                                                                        const std::string& to) {
    if (shared_.queues.find(name) == nullptr) return fail(no_queue(name));
    if (!to.empty() && !is_topic_name(std::string{queue_prefix} + to, shared_.bounds)) {
        return fail(admin_error{admin_error::kind::invalid, "not a queue's name: " + to});
    }
    auto answer = std::make_shared<std::promise<admin::queue_removed>>();
    auto future = answer->get_future();
    auto* const on = shards_[owner_of(name)];
    on->inbox().post(errand{[on, name, count_max, to, answer] {
        auto* const q = on->core().desk().queues().find(name);
        if (q == nullptr) return answer->set_value({});
        on->core().queues().use(*q).remove(
            {.messages_max = count_max, .to = to, .done = [on, answer](const queue_removal::outcome& r) {
                 on->when_durable(r.durable_at, [answer, r] {
                     answer->set_value({.messages = r.removed, .more = r.more, .target_full = r.refused});
                 });
             }},
            on->now());
    }});
    return wait_for(std::move(future));
}

result<bool, admin_error> admin_node::delete_queue(const std::string& name, bool force) {
    auto outcome = std::make_shared<shard_queues::deletion>(shard_queues::deletion::not_found);
    const auto done = when_durable(owner_of(name), [name, force, outcome](shard& on) {
        *outcome = on.core().queues().remove(name, force);
        return *outcome == shard_queues::deletion::done ? on.core().desk().open_ticket() : ticket{};
    });
    if (!done) return done;
    switch (*outcome) {
    case shard_queues::deletion::done: return true;
    case shard_queues::deletion::not_found: return fail(no_queue(name));
    case shard_queues::deletion::has_consumers:
        return fail(admin_error{admin_error::kind::refused, "queue " + name + " has consumers; delete it all the same with force"});
    case shard_queues::deletion::declared_in_file:
        return fail(admin_error{admin_error::kind::refused, "the configuration file declares queue " + name + "; take it out there"});
    }
    return true;
}

} // namespace broker
