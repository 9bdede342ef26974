//! Compiles `proto/` into Rust, without `protoc`.

use std::{
    env,
    error::Error,
    fs::{self, File},
    path::Path,
    time::SystemTime,
};

fn main() -> Result<(), Box<dyn Error>> {
    let sources = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../../proto");
    let google = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../../third_party/proto");
    println!("cargo::rerun-if-changed={}", sources.display());
    println!("cargo::rerun-if-changed={}", google.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(sources.join("quire/v1"))? {
        let name = entry?.file_name().into_string().map_err(|_| "a file's name is not UTF-8")?;
        if name.ends_with(".proto") {
            files.push(format!("quire/v1/{name}"));
        }
    }
    files.push("google/rpc/error_details.proto".to_owned());
    files.sort();

    // The source info holds the comments, which become documentation.
    let mut compiler = protox::Compiler::new([&sources, &google])?;
    compiler.include_source_info(true).include_imports(true).open_files(&files)?;
    let descriptors = Path::new(&env::var("OUT_DIR")?).join("descriptors.binpb");
    fs::write(&descriptors, compiler.encode_file_descriptor_set())?;
    // Cargo is told to watch this file too. It must not be younger than its build, or everything would be compiled anew each time.
    File::options().write(true).open(&descriptors)?.set_modified(SystemTime::UNIX_EPOCH)?;

    // What the functions do not use would still have to be compiled.
    buffa_build::Config::new()
        .descriptor_set(descriptors)
        .files(&files)
        .file_per_package(true)
        .generate_json(true)
        .generate_views(false)
        .generate_with_setters(false)
        .preserve_unknown_fields(false)
        .compile()
}
