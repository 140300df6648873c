// Flipped bits and cut files, every kind of file of a store: opening either refuses and names the file, or every row is
// there as it was.
#include "scratch.hpp"

#include "storage/upgrade.hpp"

#include <doctest/doctest.h>

#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
