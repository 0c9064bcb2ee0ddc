// On Windows, what an addon takes from Node is asked of node.exe by name. A host of another name (Electron)
// has it as well: the addon gets the process's own program instead, whatever it is called. Part of the addon
// that mingw-w64 builds (tools/build-windows.mjs).
#if defined(_WIN32)

#include <windows.h>
// after windows.h
#include <delayimp.h>

#include <cstring>

namespace {

FARPROC WINAPI host_instead(unsigned event, PDelayLoadInfo info) {
  if (event != dliNotePreLoadLibrary || _stricmp(info->szDll, "node.exe") != 0) return nullptr;
  return reinterpret_cast<FARPROC>(GetModuleHandleA(nullptr));
}

}  // namespace

extern "C" {
PfnDliHook __pfnDliNotifyHook2 = host_instead;
}

#endif
