// retained: the last retained message of every topic, one store per process.
// Threading: any thread; one shared mutex (set and erase are rarer than publications, matches happen at SUBSCRIBE).
#pragma once

#include "core/limits.hpp"
#include "core/message.hpp"
#include "core/topic.hpp"

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <vector>

namespace broker {

class retained {
public:
    explicit retained(const limits& bounds) : bounds_{bounds} {}

    enum class outcome : std::uint8_t { stored, replaced, refused_count, refused_bytes };
    // `room_is_sure`: has_room() was asked in this turn; a place another shard took meanwhile is not counted against it.
    outcome set(const message_ptr& m, bool room_is_sure = false);
    // Would so many new messages fit?
    [[nodiscard]] bool has_room(std::size_t messages, std::size_t bytes) const;
    bool erase(std::string_view topic); // true: there was one

    [[nodiscard]] message_ptr get(std::string_view topic, time_point now) const;
    static constexpr std::size_t visits_at_once = 1024; // publishers wait for the lock meanwhile
    // One piece of a walk: appends what matches, at most `count_max`, in the order of topics' levels, having looked at no
    // more than `visits_max` nodes of the tree; expired messages are left out. Returned: the place where it stopped, from
    // which the next piece goes on (`after`; a topic that need not have a message, or be there any more); nothing at the
    // end of the walk.
    [[nodiscard]] std::optional<std::string> match(std::string_view pattern, time_point now, std::vector<message_ptr>& into,
                                                   std::size_t count_max, std::size_t visits_max,
                                                   std::optional<std::string_view> after = std::nullopt) const;

    // Gone from memory if it has expired. True: it was.
    bool expire(std::string_view topic, time_point now);

    // While it is held nobody changes anything: what is read under it and submitted to the store before it is let go
    // reaches the disk in the order in which it became true here, whichever shards are at it.
    [[nodiscard]] std::shared_lock<std::shared_mutex> hold() const { return std::shared_lock{mutex_}; }
    [[nodiscard]] message_ptr get_held(std::string_view topic) const; // under hold(); expired ones too

    [[nodiscard]] std::size_t count() const { return count_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

private:
    // Most nodes are leaves: they hold no map.
    struct node {
        using map = std::map<std::string, node, std::less<>>; // by the name of the level
        message_ptr message{};
        std::unique_ptr<map> children{};
        [[nodiscard]] node* child(std::string_view level) const;
        [[nodiscard]] node* find(std::string_view topic) const; // below it; null: there is none
        [[nodiscard]] node& made(std::string_view topic);
    };
    class matcher;

    bool erase_locked(std::string_view topic, time_point expired_by);

    const limits& bounds_;
    mutable std::shared_mutex mutex_;
    node root_;
    std::atomic<std::size_t> count_{0};
    std::atomic<std::size_t> bytes_{0};
};

} // namespace broker
