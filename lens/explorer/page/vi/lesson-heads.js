// Chapter 6: heads, and the feature map.

export const LESSON_HEADS = {
  "one token back": "token ngay trước",
  "the first token": "token đầu tiên",
  "the same word, earlier": "vẫn từ ấy, ở phía trước",
  "Whose W_Q is shown": "W_Q của đầu nào được hiện",
  "Three heads, built by hand: choose who asks, or type words of your own": "Ba đầu dựng bằng tay: chọn từ đặt câu hỏi, hoặc gõ những từ của bạn",
  "Six words at most, three different ones": "Nhiều nhất sáu từ, trong đó ba từ khác nhau",
  "Back to the example": "Trở lại ví dụ",
  "“{word}” is one too many: X has a channel for each of three words.": "“{word}” là một từ thừa: X chỉ có kênh cho ba từ khác nhau.",
  "What the word that asks is given": "Những gì từ đặt câu hỏi nhận được",
  "rows: what a token has; columns: what it asks for": "hàng: điều một token có; cột: điều nó hỏi",
  "Head {head}: {asks}. The two framed rows, added, are the query of {token}.":
    "Đầu {head}: {asks}. Hai hàng được đóng khung, cộng lại, là truy vấn của {token}.",
  "Choose the parameters and follow each channel.": "Chọn các tham số và theo dõi từng kênh.",
  "Order of the channels in qkv": "Thứ tự các kênh trong qkv",
  "head by head, as elsewhere": "lần lượt từng đầu, như ở nơi khác",
  "all Q, all K, all V, as here": "mọi Q, mọi K, mọi V, như ở đây",
  "Back to the example with numbers": "Trở lại ví dụ có số",
  "qkv makes {count} channels of X": "qkv tạo {count} kênh từ X",
  "the heads’ outputs, concatenated": "kết quả của các đầu, ghép lại",
  "proj mixes the heads": "proj trộn các đầu",
  "out, dim channels again": "out, lại có dim kênh",
  "Each channel of qkv goes to the queries, keys or values of one head; the heads’ outputs are concatenated and projected.":
    "Mỗi kênh của qkv đi vào truy vấn, khóa hoặc giá trị của một đầu; kết quả của các đầu được ghép lại rồi chiếu.",
  "{count} channels": "{count} kênh",
  "Point at a number, or tap it, to see where it comes from.": "Trỏ vào một con số, hoặc chạm vào nó, để xem nó từ đâu ra.",
  "{name}, invented: channel {channel} of {token}": "{name}, tự đặt ra: kênh {channel} của {token}",
  "{part} of head {head}, channel {channel}, of {token}: {sum} = {value}": "{part} của đầu {head}, kênh {channel}, của {token}: {sum} = {value}",
  "weights of head {head}": "trọng số attention của đầu {head}",
  "Head {head}: scores of {token}: {scores}; their softmax gives {key} the weight {value}":
    "Đầu {head}: điểm của {token}: {scores}; softmax của chúng cho {key} trọng số {value}",
  "Head {head} gives {token} in channel {channel} the weights times the values: {sum} = {value}":
    "Đầu {head} cho {token} ở kênh {channel} các trọng số nhân với giá trị: {sum} = {value}",
  "{name}, invented: how much of concatenated channel {from} goes into channel {to} of the output":
    "{name}, tự đặt ra: bao nhiêu phần của kênh đã ghép {from} đi vào kênh {to} của kết quả",
  "Output of {token}, channel {channel}: {sum} = {value}": "Kết quả của {token}, kênh {channel}: {sum} = {value}",
  "Largest difference of {out} between the two orders: {apart}": "Khác biệt lớn nhất của {out} giữa hai thứ tự: {apart}",
  "The picture: choose a pixel": "Bức ảnh: chọn một điểm ảnh",
  "channel {channel} of the pixel": "kênh {channel} của điểm ảnh",
  "what comes out for this pixel, both ways": "kết quả của điểm ảnh này, theo cả hai cách",
  "Choose a pixel and see what it reads; change its channels.": "Chọn một điểm ảnh và xem nó đọc gì; đổi các kênh của nó.",
  "the picture, four channels a pixel": "bức ảnh, mỗi điểm ảnh bốn kênh",
  "pixel {name}: {values}": "điểm ảnh {name}: {values}",
  "Pixel {name} reads all {all} pixels at once; a 3x3 convolution would see the {near} that are framed.":
    "Điểm ảnh {name} đọc cả {all} điểm ảnh cùng lúc; tích chập 3x3 chỉ thấy {near} điểm ảnh được đóng khung.",
  "Largest difference between the two ways, over all nine pixels: {apart}": "Khác biệt lớn nhất giữa hai cách, trên cả chín điểm ảnh: {apart}",

  "A library’s call: find the settings that give the same numbers.": "Lời gọi một thư viện: hãy tìm các thiết lập cho cùng những con số.",
  "The rows of the picture are the queries, the keys and the values.": "Các hàng của bức ảnh là truy vấn, khóa và giá trị.",
  "What the library is given": "Những gì đưa cho thư viện",
  "The scale of ours": "Tỉ lệ (scale) của chúng ta",
  "The same numbers: this library takes the value before the key, and does not scale by default.":
    "Cùng những con số: thư viện này nhận giá trị trước khóa, và mặc định không chia tỉ lệ.",
  "Off by up to {difference}, and no error.": "Lệch tới {difference}, mà không báo lỗi gì.",
};
