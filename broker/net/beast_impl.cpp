// The one translation unit that compiles Asio's and Beast's non-template parts.
#include <boost/asio/impl/src.hpp>
#include <boost/beast/src.hpp>
