// server_topics: the latest value of every topic the server itself publishes ("$SYS/..."), one store per process. Apart
// from the retained messages of clients: nothing of it is on disk, counted or limited; its names are the server's own.
// Threading: any thread; one mutex, touched by subscriptions that begin with '$' and by the server's announcements.
#pragma once

#include "core/message.hpp"

#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace broker {

class server_topics {
public:
    void set(const message_ptr& m); // replaces the topic's value

    // Appends what matches, in the order of the names.
    void match(std::string_view pattern, std::vector<message_ptr>& into) const;

private:
    mutable std::mutex mutex_;
    std::map<std::string, message_ptr, std::less<>> latest_;
};

} // namespace broker
