-- SPDX-License-Identifier: GPL-3.0-or-later
-- session.lua make|open FOLDER VST3|LV2 ID, for ardour7-lua: makes a session with one track, chooses a program of the plugin and changes
-- Mix and Output after it; or opens that session. Prints every value that the host knows, and saves.
local task, folder, kind, id = arg[1], arg[2], arg[3], arg[4]
local backend = AudioEngine:set_backend("None (Dummy)", "serpent", "")
backend:set_buffer_size(1024)
AudioEngine:start()

local function values(processor)
    local plugin = processor:to_insert():plugin(0)
    for i = 0, plugin:parameter_count() - 1 do
        local value = ARDOUR.LuaAPI.get_processor_param(processor, i, true)
        print(string.format("value %s %.6f", plugin:parameter_label(i), value))
    end
end

if task == "make" then
    local session = create_session(folder, "session", 48000)
    local track = session:new_audio_track(2, 2, nil, 1, "track", ARDOUR.PresentationInfo.max_order, ARDOUR.TrackMode.Normal, true):front()
    local processor = ARDOUR.LuaAPI.new_plugin(session, id, ARDOUR.PluginType[kind], "")
    assert(not processor:isnil(), "Ardour does not know the plugin")
    track:add_processor_by_index(processor, 0, nil, true)
    local plugin = processor:to_insert():plugin(0)
    assert(plugin:load_preset(plugin:preset_by_label("Parallel Compression")), "the program cannot be chosen")
    sleep(0.7)
    local edits = {Mix = 0.25, Output = 0.375}
    for i = 0, plugin:parameter_count() - 1 do
        local name = plugin:parameter_label(i)
        if kind == "VST3" and name == "Mix" then
            local told = ARDOUR.LuaAPI.get_processor_param(processor, i, true)
            assert(math.abs(told - 0.5) < 1e-6, "Ardour is not told of the program's Mix: " .. told)
        end
        if edits[name] then ARDOUR.LuaAPI.set_processor_param(processor, i, edits[name]) end
    end
    sleep(0.4)
    values(processor)
    session:save_state("", false, false, false, false, false)
else
    local session = load_session(folder, "session")
    for route in session:get_routes():iter() do
        if route:name() == "track" then
            sleep(0.7)
            values(route:nth_plugin(0))
        end
    end
    session:save_state("", false, false, false, false, false)
end
close_session()
print("done")
