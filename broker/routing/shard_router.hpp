// shard_router: match, store, deliver, hand over, for one shard.
#pragma once

#include "routing/desk.hpp"
#include "routing/queue_router.hpp"
#include "routing/retained.hpp"
#include "routing/router.hpp"
#include "routing/server_topics.hpp"
#include "routing/temporary_names.hpp"
#include "routing/topic_trie.hpp"
#include "session/shard_sessions.hpp"

#include <set>

namespace broker {

class shard_router final : public router {
public:
    shard_router(shard_desk& desk, topic_trie& trie, retained& kept, server_topics& own,
                 const temporary_names& names, shard_sessions& sessions, queue_router& queues);

    [[nodiscard]] routed publish(message_ptr m, time_point now) override;
    // Nobody waits for an acknowledgement of a will, and nobody could publish it later: a store that fails does not refuse
    // it. It is written with everything else that waits, when the store works again.
    void publish_will(const message_ptr& m, time_point now);
    [[nodiscard]] unit_outcome publish_all(std::span<const unit_step> steps, time_point now) override;
    [[nodiscard]] subscribed subscribe(session& s, const topic_filter& filter, const subscription_options& options,
                                       time_point now) override;
    [[nodiscard]] temporary open_temporary(session& s, std::string_view name, const subscription_options& options,
                                           time_point now) override;
    [[nodiscard]] unsubscribed unsubscribe(session& s, const topic_filter& filter, time_point now) override;
    [[nodiscard]] std::uint64_t browse(std::string_view queue, browser& by) override { return queues_.browse(queue, by); }
    void next_page(std::uint64_t cursor) override { queues_.next_page(cursor); }
    void stop_browsing(std::uint64_t cursor) override { queues_.stop_browsing(cursor); }
    void send_retained(session& s, const topic_filter& filter, const subscription_options& options,
                       time_point now) override;
    // The server's own publication ("$SYS/..."): subscribers get it, later ones its latest value like a retained message.
    // It is not stored, and nobody is told when nobody is there.
    void announce(message_ptr m, time_point now);
    // Retained messages that expire leave memory and store on time.
    [[nodiscard]] time_point next_deadline() const { return expiring_.empty() ? never : expiring_.begin()->first; }
    void on_deadline(time_point now);
    void expire_later(const message& m);

    [[nodiscard]] ticket durable_upto() const override { return desk_.durable_upto(); }
    [[nodiscard]] bool full() const override { return desk_.full(); }
    [[nodiscard]] counters& count() override { return desk_.count(); }

private:
    [[nodiscard]] refusal store_refusal() const {
        return desk_.store_full() ? refusal::disk_full : refusal::storage_failed;
    }
    struct admission {
        bool refuse_stored = false; // what the store would have to keep
        bool room_is_sure = false;  // somebody looked whether the retained message fits
        bool nobody_to_tell = false; // it goes to who is there, though it cannot be retained
    };
    [[nodiscard]] routed route(const message_ptr& m, admission how, time_point now);
    [[nodiscard]] routed publish_to_topic(const message_ptr& m, admission how, time_point now);
    [[nodiscard]] routed refused(refusal why); // counted
    [[nodiscard]] static bool is_kept(const message& m);
    void forget_retained(std::string_view topic);
    [[nodiscard]] refusal keep(const message_ptr& m, bool room_is_sure);
    [[nodiscard]] static std::size_t first_unanswerable(std::span<const unit_step> steps);

    // One match, seen as a receiver of this publication.
    struct target {
        slot* to = nullptr;
        subscription_options options{};
        std::uint32_t identifiers_at = 0; // into identifiers_
        std::uint16_t identifiers = 0;
        std::uint16_t shard = 0;
        qos level{};
        bool stored = false;
    };
    struct shared_target {
        target who{};
        group_ptr of{};
        message_ptr copy{}; // its own, with an id of its own; null: the message itself
    };
    struct stored_receivers {
        std::size_t together = 0; // under the message's id
        bool any = false;
    };

    [[nodiscard]] bool room_for_subscription(const session& s);
    void merge_overlapping();
    stored_receivers choose_receivers(const message& m);
    [[nodiscard]] target target_of(slot& to, const subscription_options& options, const message& m);
    void choose_member(const share_match& f, const message& m, stored_receivers& stored);
    void put_entries(const message_ptr& m, std::size_t together);
    void put_entry(const message& m, const target& t, const shared_group* of, const message_fields* inside);
    void hand_out(const message_ptr& m, std::size_t together, time_point now);
    [[nodiscard]] entry entry_for(const message_ptr& m, const target& t, const group_ptr& of, bool shared_record) const;
    void give(const message_ptr& m, const target& t, const group_ptr& of, bool shared_record, time_point now);

    shard_desk& desk_;
    topic_trie& trie_;
    retained& retained_;
    server_topics& own_;
    const temporary_names& names_;
    shard_sessions& sessions_;
    queue_router& queues_;
    std::set<std::pair<time_point, std::string>> expiring_; // retained messages that this shard set, or restored
    // Scratch, kept for its capacity.
    match_set matched_;
    std::vector<target> targets_;
    std::vector<shared_target> shared_targets_;
    std::vector<std::uint32_t> identifiers_;
    std::vector<topic_mail> per_shard_;
    std::string record_;
    std::string key_;
};

} // namespace broker
