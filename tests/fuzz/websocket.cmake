broker_fuzz(websocket SOURCES websocket.cpp LINK broker::websocket)
