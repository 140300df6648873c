broker_fuzz(records SOURCES records.cpp LINK broker::storage ZLIB::ZLIB)
