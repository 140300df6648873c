// shard_router: match, store, deliver, hand over, for one shard.
#pragma once

#include "routing/desk.hpp"
#include "routing/queue_router.hpp"
#include "routing/retained.hpp"
#include "routing/router.hpp"
#include "routing/server_topics.hpp"
#include "routing/topic_trie.hpp"
#include "session/shard_sessions.hpp"

#include <set>

namespace broker {

class shard_router final : public router {
public:
    shard_router(shard_desk& desk, topic_trie& trie, retained& kept, server_topics& own, shard_sessions& sessions,
                 queue_router& queues);

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
    [[nodiscard]] counters& count() override { return desk_.count(); }

private:
    [[nodiscard]] refusal store_refusal() const {
        return desk_.store_full() ? refusal::disk_full : refusal::storage_failed;
    }
    struct admission {
        bool refuse_stored = false; // what the store would have to keep
        bool room_is_sure = false;  // somebody looked whether the retained message fits
    };
    [[nodiscard]] routed route(const message_ptr& m, bool refuse_stored, time_point now);
    [[nodiscard]] routed publish_to_topic(const message_ptr& m, admission how, time_point now);
    [[nodiscard]] static bool is_kept(const message& m);
    [[nodiscard]] refusal keep(const message_ptr& m, bool room_is_sure);
    [[nodiscard]] static std::size_t first_unanswerable(std::span<const unit_step> steps);
    void merge_overlapping();
    std::size_t choose_receivers(const message& m);
    void put_entries(const message_ptr& m, std::size_t stored);
    void hand_out(const message_ptr& m, std::size_t stored, time_point now);

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

    shard_desk& desk_;
    topic_trie& trie_;
    retained& retained_;
    server_topics& own_;
    shard_sessions& sessions_;
    queue_router& queues_;
    std::set<std::pair<time_point, std::string>> expiring_; // retained messages that this shard set, or restored
    // Scratch, kept for its capacity.
    match_set matched_;
    std::vector<target> targets_;
    std::vector<std::uint32_t> identifiers_;
    std::vector<topic_mail> per_shard_;
    std::string record_;
    std::string key_;
};

} // namespace broker
