-- SPDX-License-Identifier: GPL-3.0-or-later
-- session.lua make|open FOLDER VST3|LV2 ID SOUND, for ardour7-lua: makes a session with a track of notes, chooses a program of
-- the plugin and changes Mix and Output after it; or opens that session. Prints every value that the host knows, saves, and
-- exports what the session plays to SOUND.wav in FOLDER/export.
local task, folder, kind, id, sound = arg[1], arg[2], arg[3], arg[4], arg[5]
local backend = AudioEngine:set_backend("None (Dummy)", "serpent", "")
backend:set_buffer_size(1024)
AudioEngine:start()
local length_samples = 48000

local function values(processor)
    local plugin = processor:to_insert():plugin(0)
    for i = 0, plugin:parameter_count() - 1 do
        local value = ARDOUR.LuaAPI.get_processor_param(processor, i, true)
        print(string.format("value %s %.6f", plugin:parameter_label(i), value))
    end
end

-- Ardour's Lua imports no files: a script makes the notes, and bouncing keeps them as a file of the session.
local function add_notes(session, track)
    local notes = ARDOUR.LuaAPI.new_luaproc(session, "Notes")
    assert(not notes:isnil(), "Ardour does not know the script notes.lua")
    track:add_processor_by_index(notes, 0, nil, true)
    local region = track:to_track():bounce_range(0, length_samples, ARDOUR.InterThreadInfo(), notes, true, "notes")
    assert(not region:isnil(), "the notes cannot be bounced")
    track:remove_processor(notes, nil, true)
    track:to_track():playlist():add_region(region, Temporal.timepos_t(0), 1, false, 0, 0, false)
end

local function export(session)
    local simple = session:simple_export()
    simple:set_folder(folder .. "/export")
    simple:set_name(sound)
    simple:set_range(0, length_samples)
    assert(simple:set_preset("5e4be27e-0000-4000-8000-000000000002"), "the export preset is not found")
    assert(simple:check_outputs() and simple:run_export(), "the export fails")
end

local session
if task == "make" then
    session = create_session(folder, "session", 48000)
    local last, normal = ARDOUR.PresentationInfo.max_order, ARDOUR.TrackMode.Normal
    local track = session:new_audio_track(2, 2, nil, 1, "track", last, normal, true):front()
    add_notes(session, track)
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
else
    session = load_session(folder, "session")
    for route in session:get_routes():iter() do
        if route:name() == "track" then
            sleep(0.7)
            values(route:nth_plugin(0))
        end
    end
end
session:save_state("", false, false, false, false, false)
export(session)
close_session()
print("done")
