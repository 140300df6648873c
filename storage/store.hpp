// store: where what was acknowledged survives. Shards collect operations in batches; the committer writes the batches of
// all shards as one group with one sync and reports tickets. Reads that must see earlier writes (a session's backlog)
// travel in the same stream. RocksDB stays behind `backend`.
#pragma once

#include "core/bytes.hpp"
#include "core/ids.hpp"
#include "core/result.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace broker::storage {

// RocksDB column families; docs/storage-format.md is the contract of keys and values.
enum class column : std::uint8_t {
    meta,
    sessions,
    subscriptions,
    messages,
    entries,
    inbound_qos2,
    outbound_qos2,
    retained,
    queues,
    wills,
    queue_entries,
};
inline constexpr std::size_t columns = 11;
[[nodiscard]] std::string_view name(column c);

struct storage_error {
    enum class kind : std::uint8_t {
        other,
        no_space, // goes away when there is room
        damaged,  // what is stored is not what was written
    };
    std::string what; // one line: operation, path, the library's words
    kind why = kind::other;
};

enum class durability : std::uint8_t { none, async, sync };

// Operations in order, applied atomically. One flat buffer: recording an operation does not allocate once it has grown.
class batch {
public:
    void put(column c, std::string_view key, std::string_view value);
    // Of a key that was never there before: erased before it is written, neither is written (storage/transients.hpp).
    void put_new(column c, std::string_view key, std::string_view value);
    void erase(column c, std::string_view key);
    // Its receiver has answered: nothing else in this batch depends on it (storage/transients.hpp).
    void erase_answered(column c, std::string_view key);
    void erase_prefix(column c, std::string_view prefix); // every key that begins with it
    [[nodiscard]] bool empty() const { return operations_ == 0; }
    [[nodiscard]] std::size_t operations() const { return operations_; }
    [[nodiscard]] std::size_t bytes() const { return data_.size(); }
    void append(const batch& other); // its operations, and the durability it asks for
    void clear();

    struct operation {
        enum class kind : std::uint8_t { put, erase, erase_prefix } what{};
        column in{};
        std::string_view key{};
        std::string_view value{}; // put only
        bool is_new = false;      // put_new
        bool is_answer = false;   // erase_answered
        std::size_t at = 0;       // for drop()
    };
    void drop(std::size_t at); // as if the operation had never been recorded, for for_each()
    [[nodiscard]] bool nothing_left() const { return dropped_ == operations_; }
    using visitor = std::function<void(const operation&)>;
    void for_each(const visitor& visit) const;

    // Durability this batch asks for: the strongest of its operations (put and erase alone ask for nothing).
    void require(durability level);
    [[nodiscard]] durability required() const { return required_; }

private:
    void record(std::uint8_t kind, column c, std::string_view key, std::string_view value);

    std::string data_;
    std::size_t operations_ = 0;
    std::size_t dropped_ = 0;
    durability required_ = durability::none;
};

// What keys and values are kept in. Thread-safe for reads beside one writer.
class backend {
public:
    virtual ~backend() = default;
    // All or nothing, in order. `sync`: on disk when it returns.
    [[nodiscard]] virtual result<void, storage_error> write(std::span<const batch* const> group, bool sync) = 0;
    [[nodiscard]] virtual result<std::optional<std::string>, storage_error> get(column c, std::string_view key) const = 0;
    // After a failed write: try to make writing possible again. Called before every retry.
    virtual void recover() {}
    struct room {
        std::uint64_t free = 0; // bytes
        std::uint64_t total = 0;
    };
    // Where it is kept; nothing: no bound is known.
    [[nodiscard]] virtual std::optional<room> room_left() const { return std::nullopt; }
    // Keys in [from, ...) that begin with `prefix`, in byte order, until visit returns false.
    using row_visitor = std::function<bool(std::string_view key, std::string_view value)>;
    [[nodiscard]] virtual result<void, storage_error> scan(column c, std::string_view prefix, std::string_view from,
                                                           const row_visitor& visit) const = 0;
    // The first row of every owner, which is who the first eight bytes of a key name. In byte order. (This reads all rows.)
    [[nodiscard]] virtual result<void, storage_error> scan_owners(column c, const row_visitor& visit) const;
};

// A read that sees every batch submitted before it, by whatever shard.
struct load_request {
    session_id of{};          // a session's entries, or
    std::optional<std::uint8_t> priority{}; // a queue's entries of this priority
    message_id from{};        // from this id on, inclusive
    std::size_t messages_max = 0;
    std::size_t bytes_max = 0;
    std::uint64_t number = 0; // the reader's: an answer to a request it has given up is known by it
    bool to_pass_on = false;  // for other members of shared groups, not for the session itself
    std::uint64_t cursor = 0; // not zero: for whoever asked under this number, not for the session or queue itself
};

struct loaded_rows {
    load_request request{};
    std::vector<std::pair<std::string, std::string>> entries{}; // key, value; what belongs to entry i is resolved:
    std::vector<std::optional<std::string>> messages{};         // its `messages` record when it refers to one (sessions)
    std::vector<std::uint32_t> redelivery_counts{};             // its redelivery record, 0 without one (queues)
    bool more = false;                                        // the limits cut it off, or a row cannot be read
};

// What a shard learns about its submissions, in order.
struct completion {
    ticket upto{};                        // durable; unchanged when the store has failed
    bool failed = false;                  // the store takes no durable publications; a later completion says when it does
    bool full = false;                    // for want of room
    std::vector<loaded_rows> loaded{};
};

// The committer's front, one per process.
// Threading: any shard's thread, each with its own index.
class store {
public:
    virtual ~store() = default;
    // Takes the batch. Its ticket is the number of submissions of this shard so far, this one included; the first is 1.
    virtual ticket submit(shard_index from, batch&& operations, std::vector<load_request>&& loads) = 0;
    [[nodiscard]] virtual std::size_t pending_bytes() const = 0; // submitted, not yet durable; any thread
    [[nodiscard]] virtual const backend& rows() const = 0;       // for start-up and admin reads: committed state only
};

} // namespace broker::storage
