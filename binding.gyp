{
  'variables': {
    # npm may run node-gyp unasked in a package that has a binding.gyp; with a prebuilt addon there is nothing to
    # do, unless `node-gyp rebuild --force_build=1` says so.
    'force_build%': 0,
    'prebuild_exists%': '<!(node -p "const musl=process.platform==\'linux\'&&!process.report.getReport().header.glibcVersionRuntime;try{require.resolve(\'@vssl-native/\'+process.platform+(musl?\'musl-\':\'-\')+process.arch+\'/kernels.node\');1}catch{0}")',
  },
  'targets': [
    {
      'target_name': 'vssl_kernels',
      'conditions': [
        ['prebuild_exists==1 and force_build!=1', {'type': 'none'}, {
          'sources': [
            '<!@(node -p "require(\'fs\').readdirSync(\'native/binding\').filter(f=>/^kernels_.*[.]cpp$/.test(f)).sort().map(f=>\'native/binding/\'+f).join(\' \')")',
            # What both addons use; CMakeLists.txt names them too.
            'native/binding/dispatcher.cpp', 'native/binding/executor.cpp', 'native/binding/pin.cpp',
            # The one source list, also read by CMakeLists.txt.
            '<!@(node -p "require(\'fs\').readFileSync(\'native/kernels/sources.txt\',\'utf8\').split(/[\\r\\n]+/).map(l=>l.replace(/#.*/,\'\').trim()).filter(Boolean).map(l=>\'native/kernels/\'+l).join(\' \')")',
          ],
          'include_dirs': ['<!(node -p "require(\'node-addon-api\').include_dir")'],
          'defines': [
            'NAPI_VERSION=9',
            'NODE_ADDON_API_CPP_EXCEPTIONS',
            'NODE_ADDON_API_DISABLE_DEPRECATED',
            'NODE_ADDON_API_REQUIRE_BASIC_FINALIZERS',
            'NODE_API_NO_EXTERNAL_BUFFERS_ALLOWED',
            'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS',
          ],
          'cflags!': ['-fno-exceptions', '-O2'],
          'cflags_cc!': ['-fno-exceptions', '-fno-rtti', '-std=gnu++14', '-std=gnu++17', '-std=gnu++20'],
          # Multiply-adds are fused where the kernels say so, nowhere else: the same bits from every compiler flag set.
          'cflags_cc': ['-std=c++17', '-O3', '-ffp-contract=off', '-fvisibility=hidden', '-Wall', '-Wextra'],
          'xcode_settings': {
            'GCC_ENABLE_CPP_EXCEPTIONS': 'YES',
            'CLANG_CXX_LANGUAGE_STANDARD': 'c++17',
            'GCC_OPTIMIZATION_LEVEL': '3',
            'OTHER_CPLUSPLUSFLAGS': ['-ffp-contract=off', '-fvisibility=hidden'],
          },
          'msvs_settings': {'VCCLCompilerTool': {'ExceptionHandling': 1, 'AdditionalOptions': ['/std:c++17']}},
        }],
        ['OS=="linux"', {'libraries': ['-ldl', '-pthread']}],
      ],
    },
  ],
}
