// events: what came to pass in a run. A simulation that checks what never happens proves nothing: the test wants every one
// of these often enough over its seeds.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace broker::sim {

enum class event : std::uint8_t {
    delivery,
    killed,
    lost_power,
    died_between_batches,   // something was submitted and not written
    died_with_failed_group, // which is on disk, or not
    died_unsynced,          // a power cut took groups that had been written
    disk_failed,
    refused, // a publication, because the disk fails
    refused_when_full, // because its queue is
    exactly_once_in_over_crash,
    exactly_once_out_over_crash,
    publish_repeated,
    release_repeated,
    will_published,
    will_published_late, // after its delay
    will_published_after_crash,
    will_cancelled,
    message_expired,
    session_expired,
    session_lost_by_clean_start,
    session_resumed_over_crash,
    session_moved,
    session_moved_live, // from a connection that was open
    shared_passed_on,
    backlog_read_back,
    retained_seen,
    retained_seen_after_crash,
    retained_deleted,
    job_given_out,
    job_given_out_again,
    job_given_out_over_crash,
    job_taken_by_mqtt,
    durable_topic_message, // of a STOMP subscription
    refused_by_receiver,   // NACK
    transaction_committed,
    transaction_aborted,
    transaction_lost_with_connection,
    transaction_over_crash, // COMMIT was sent and not confirmed
    job_rejected,           // NACK with requeue:false, or an acknowledgement with an error
    dead_letter,
    job_dropped,    // by a queue that was full, or too old
    entry_dropped,  // by a session that was full
    browsed,
    purged,
    moved_by_hand,
    answered_with_error,
    retained_will_seen,
    group_message_to_stomp,
};
inline constexpr std::size_t events = static_cast<std::size_t>(event::group_message_to_stomp) + 1;
inline constexpr std::array<std::string_view, events> event_names{
    "deliveries",
    "kills",
    "power cuts",
    "deaths with batches submitted and not written",
    "deaths with a group in doubt",
    "power cuts that took written groups",
    "disk failures",
    "publications refused while the disk fails",
    "publications refused by a full queue",
    "QoS 2 exchanges to the broker that went on after a crash",
    "QoS 2 exchanges from the broker that went on after a crash",
    "PUBLISH repeated",
    "PUBREL repeated",
    "wills",
    "wills after their delay",
    "wills after a crash",
    "wills cancelled",
    "messages expired",
    "sessions expired",
    "sessions ended by a clean start",
    "sessions resumed after a crash",
    "sessions moved between shards",
    "sessions moved between shards from a live connection",
    "messages passed on in a shared group",
    "reads of a backlog from disk",
    "retained messages seen",
    "retained messages seen after a crash",
    "retained messages deleted",
    "jobs given out",
    "jobs given out again",
    "jobs given out again after a crash",
    "jobs taken by MQTT consumers",
    "messages to durable STOMP subscriptions",
    "NACKs",
    "transactions committed",
    "transactions aborted",
    "transactions lost with their connection",
    "transactions whose COMMIT a crash interrupted",
    "jobs rejected",
    "dead letters given out",
    "jobs dropped by full queues or too old",
    "messages dropped by full sessions",
    "jobs looked at",
    "jobs purged",
    "jobs moved by hand",
    "messages answered with an error",
    "retained wills seen",
    "messages of a shared group to STOMP members",
};

class tally {
public:
    void count(event e, std::size_t n = 1) { counts_[static_cast<std::size_t>(e)] += n; }
    void add(const tally& other) {
        for (std::size_t i = 0; i != events; ++i) counts_[i] += other.counts_[i];
    }
    [[nodiscard]] std::size_t of(event e) const { return counts_[static_cast<std::size_t>(e)]; }

private:
    std::array<std::size_t, events> counts_{};
};

} // namespace broker::sim
